@0.3+ ALTER TABLE `opencoze`.`api_key` ADD COLUMN `ak_type` tinyint NOT NULL DEFAULT 0;
@0.3+ ALTER TABLE `opencoze`.`single_agent_draft` ADD COLUMN `bot_mode` tinyint NOT NULL DEFAULT 0 AFTER `database_config`, ADD COLUMN `layout_info` text NULL;
@0.3+ ALTER TABLE `opencoze`.`single_agent_version` ADD COLUMN `bot_mode` tinyint NOT NULL DEFAULT 0 AFTER `database_config`, ADD COLUMN `layout_info` text NULL;
