@0.5 -- Where a tool is from.
@0.5 ALTER TABLE `opencoze`.`agent_tool_draft` ADD COLUMN `source` tinyint NOT NULL DEFAULT 0;
@0.5 ALTER TABLE `opencoze`.`agent_tool_version` ADD COLUMN `source` tinyint NOT NULL DEFAULT 0;
@0.5 ALTER TABLE `opencoze`.`shortcut_command` ADD COLUMN `source` tinyint NULL DEFAULT 0;
