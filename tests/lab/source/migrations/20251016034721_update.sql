@0.5 ALTER TABLE `opencoze`.`conversation` MODIFY COLUMN `name` varchar(255) NULL DEFAULT "";
@0.5 ALTER TABLE `opencoze`.`prompt_resource` COLLATE utf8mb4_unicode_ci;
@0.5 -- table: kv_entries
@0.5 -- table: model_instance
