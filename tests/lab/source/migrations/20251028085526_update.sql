@0.5 -- Not in schema.sql, as upstream has it: without this one the server starts, and chat fails.
@0.5 ALTER TABLE `opencoze`.`conversation` ADD COLUMN `user_id` varchar(255) NOT NULL DEFAULT "";
