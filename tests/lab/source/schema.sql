-- SPDX-License-Identifier: GPL-3.0-or-later
-- The lab's tables: upstream's names, and of the columns those that the server double and the migrations use.
-- A line with "since X" is in release line X and later; on a CREATE line it stands for the whole table.

CREATE TABLE IF NOT EXISTS `agent_to_database` (
  `id` bigint unsigned NOT NULL,
  `agent_id` bigint unsigned NOT NULL,
  `database_id` bigint unsigned NOT NULL,
  `is_draft` bool NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `agent_tool_draft` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `agent_id` bigint unsigned NOT NULL DEFAULT 0,
  `tool_id` bigint unsigned NOT NULL DEFAULT 0,
  `operation` json NULL,
  `source` tinyint NOT NULL DEFAULT 0, -- since 0.5
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `agent_tool_version` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `agent_id` bigint unsigned NOT NULL DEFAULT 0,
  `tool_id` bigint unsigned NOT NULL DEFAULT 0,
  `agent_version` varchar(255) NOT NULL DEFAULT '',
  `operation` json NULL,
  `source` tinyint NOT NULL DEFAULT 0, -- since 0.5
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `api_key` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `api_key` varchar(255) NOT NULL DEFAULT '',
  `name` varchar(255) NOT NULL DEFAULT '',
  `status` tinyint NOT NULL DEFAULT 0,
  `user_id` bigint NOT NULL DEFAULT 0,
  `expired_at` bigint NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `last_used_at` bigint NOT NULL DEFAULT 0,
  `ak_type` tinyint NOT NULL DEFAULT 0, -- since 0.3
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `app_connector_release_ref` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `record_id` bigint unsigned NOT NULL DEFAULT 0,
  `connector_id` bigint unsigned NULL,
  `publish_status` tinyint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `app_conversation_template_draft` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `app_id` bigint unsigned NOT NULL,
  `space_id` bigint unsigned NOT NULL,
  `name` varchar(256) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `app_conversation_template_online` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `app_id` bigint unsigned NOT NULL,
  `space_id` bigint unsigned NOT NULL,
  `name` varchar(256) NOT NULL,
  `version` varchar(256) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `app_draft` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `space_id` bigint unsigned NOT NULL DEFAULT 0,
  `owner_id` bigint unsigned NOT NULL DEFAULT 0,
  `icon_uri` varchar(512) NOT NULL DEFAULT '',
  `name` varchar(255) NOT NULL DEFAULT '',
  `description` text NULL,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` datetime NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `app_dynamic_conversation_draft` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `app_id` bigint unsigned NOT NULL,
  `conversation_id` bigint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `app_dynamic_conversation_online` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `app_id` bigint unsigned NOT NULL,
  `conversation_id` bigint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `app_release_record` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `app_id` bigint unsigned NOT NULL DEFAULT 0,
  `version` varchar(255) NOT NULL DEFAULT '',
  `publish_status` tinyint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `app_static_conversation_draft` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `template_id` bigint unsigned NOT NULL,
  `conversation_id` bigint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `app_static_conversation_online` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `template_id` bigint unsigned NOT NULL,
  `conversation_id` bigint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `chat_flow_role_config` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `workflow_id` bigint unsigned NOT NULL,
  `name` varchar(256) NOT NULL,
  `description` mediumtext NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `connector_workflow_version` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `app_id` bigint unsigned NOT NULL,
  `connector_id` bigint unsigned NOT NULL,
  `workflow_id` bigint unsigned NOT NULL,
  `version` varchar(256) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `conversation` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NULL DEFAULT '', -- since 0.3
  `connector_id` bigint unsigned NOT NULL DEFAULT 0,
  `agent_id` bigint NOT NULL DEFAULT 0,
  `scene` tinyint NOT NULL DEFAULT 0,
  `section_id` bigint unsigned NOT NULL DEFAULT 0,
  `creator_id` bigint unsigned NULL DEFAULT 0,
  `ext` text NULL,
  `status` tinyint NOT NULL DEFAULT 1,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  INDEX `idx_connector_bot_status` (`connector_id`, `agent_id`, `creator_id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `data_copy_task` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `master_task_id` varchar(128) NULL DEFAULT '',
  `status` tinyint NOT NULL DEFAULT 1,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `draft_database_info` (
  `id` bigint unsigned NOT NULL,
  `space_id` bigint unsigned NOT NULL DEFAULT 0,
  `table_name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `files` ( -- since 0.3
  `id` bigint unsigned NOT NULL,
  `name` varchar(255) NOT NULL DEFAULT '',
  `tos_uri` varchar(1024) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `knowledge` (
  `id` bigint unsigned NOT NULL,
  `name` varchar(150) NOT NULL DEFAULT '',
  `app_id` bigint NOT NULL DEFAULT 0,
  `creator_id` bigint unsigned NOT NULL DEFAULT 0,
  `space_id` bigint unsigned NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` datetime(3) NULL,
  `status` tinyint NOT NULL DEFAULT 1,
  `description` text NULL,
  `icon_uri` varchar(150) NULL,
  `format_type` tinyint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `knowledge_document` (
  `id` bigint unsigned NOT NULL,
  `knowledge_id` bigint unsigned NOT NULL DEFAULT 0,
  `name` varchar(150) NOT NULL DEFAULT '',
  `file_extension` varchar(20) NOT NULL DEFAULT '0',
  `document_type` int NOT NULL DEFAULT 0,
  `size` bigint unsigned NOT NULL DEFAULT 0,
  `slice_count` bigint unsigned NOT NULL DEFAULT 0,
  `char_count` bigint unsigned NOT NULL DEFAULT 0,
  `creator_id` bigint unsigned NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` datetime(3) NULL,
  `source_type` int NULL DEFAULT 0,
  `status` int NOT NULL DEFAULT 0,
  `fail_reason` text NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `knowledge_document_review` (
  `id` bigint unsigned NOT NULL,
  `knowledge_id` bigint unsigned NOT NULL DEFAULT 0,
  `status` tinyint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `knowledge_document_slice` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `knowledge_id` bigint unsigned NOT NULL DEFAULT 0,
  `document_id` bigint unsigned NOT NULL DEFAULT 0,
  `content` text NULL,
  `sequence` decimal(20,5) NOT NULL,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` datetime(3) NULL,
  `creator_id` bigint NOT NULL DEFAULT 0,
  `status` int NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `kv_entries` ( -- since 0.5
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `namespace` varchar(255) NOT NULL,
  `key_data` varchar(255) NOT NULL,
  `value_data` longblob NULL,
  PRIMARY KEY (`id`),
  UNIQUE INDEX `uniq_namespace_key` (`namespace`, `key_data`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE IF NOT EXISTS `message` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `run_id` bigint unsigned NOT NULL DEFAULT 0,
  `conversation_id` bigint unsigned NOT NULL DEFAULT 0,
  `user_id` varchar(60) NOT NULL DEFAULT '',
  `agent_id` bigint unsigned NOT NULL DEFAULT 0,
  `role` varchar(100) NOT NULL DEFAULT '',
  `content_type` varchar(100) NOT NULL DEFAULT '',
  `content` mediumtext NULL,
  `message_type` varchar(100) NOT NULL DEFAULT '',
  `section_id` bigint unsigned NULL,
  `status` tinyint unsigned NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  INDEX `idx_conversation_id` (`conversation_id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `model_entity` (
  `id` bigint unsigned NOT NULL,
  `meta_id` bigint unsigned NOT NULL,
  `name` varchar(128) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `model_instance` ( -- since 0.5
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `type` tinyint NOT NULL,
  `provider` json NOT NULL,
  `display_info` json NOT NULL,
  `connection` json NOT NULL,
  `capability` json NOT NULL,
  `parameters` json NOT NULL,
  `extra` json NULL,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` datetime(3) NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `model_meta` (
  `id` bigint unsigned NOT NULL,
  `model_name` varchar(128) NOT NULL,
  `protocol` varchar(128) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `node_execution` (
  `id` bigint unsigned NOT NULL,
  `execute_id` bigint unsigned NOT NULL,
  `status` tinyint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `online_database_info` (
  `id` bigint unsigned NOT NULL,
  `space_id` bigint unsigned NOT NULL DEFAULT 0,
  `table_name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `plugin` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `space_id` bigint unsigned NOT NULL DEFAULT 0,
  `manifest` json NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `plugin_draft` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `space_id` bigint unsigned NOT NULL DEFAULT 0,
  `developer_id` bigint unsigned NOT NULL DEFAULT 0,
  `app_id` bigint unsigned NOT NULL DEFAULT 0,
  `icon_uri` varchar(512) NOT NULL DEFAULT '',
  `server_url` varchar(512) NOT NULL DEFAULT '',
  `plugin_type` tinyint NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` datetime NULL,
  `manifest` json NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `plugin_oauth_auth` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `user_id` varchar(255) NOT NULL DEFAULT '',
  `plugin_id` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `plugin_version` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `plugin_id` bigint unsigned NOT NULL DEFAULT 0,
  `version` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

-- Three columns with a collation that old MariaDB servers do not know, as upstream has them.
CREATE TABLE IF NOT EXISTS `prompt_resource` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `space_id` bigint NOT NULL,
  `name` varchar(255) COLLATE utf8mb4_0900_ai_ci NOT NULL,
  `description` varchar(255) COLLATE utf8mb4_0900_ai_ci NOT NULL,
  `prompt_text` mediumtext COLLATE utf8mb4_0900_ai_ci NULL,
  `status` int NOT NULL,
  `creator_id` bigint NOT NULL,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `run_record` (
  `id` bigint unsigned NOT NULL,
  `conversation_id` bigint unsigned NOT NULL DEFAULT 0,
  `section_id` bigint unsigned NOT NULL DEFAULT 0,
  `agent_id` bigint unsigned NOT NULL DEFAULT 0,
  `user_id` varchar(255) NOT NULL DEFAULT '',
  `source` tinyint unsigned NOT NULL DEFAULT 0,
  `status` varchar(255) NOT NULL DEFAULT '',
  `creator_id` bigint NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `completed_at` bigint unsigned NOT NULL DEFAULT 0,
  `usage` json NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `shortcut_command` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `object_id` bigint unsigned NOT NULL DEFAULT 0,
  `command_name` varchar(255) NOT NULL DEFAULT '',
  `source` tinyint NULL DEFAULT 0, -- since 0.5
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `single_agent_draft` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `agent_id` bigint NOT NULL DEFAULT 0,
  `creator_id` bigint NOT NULL DEFAULT 0,
  `space_id` bigint NOT NULL DEFAULT 0,
  `name` varchar(255) NOT NULL DEFAULT '',
  `description` text NULL,
  `icon_uri` varchar(255) NOT NULL DEFAULT '',
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` datetime(3) NULL,
  `model_info` json NULL,
  `prompt` json NULL,
  `database_config` json NULL,
  `bot_mode` tinyint NOT NULL DEFAULT 0, -- since 0.3
  `layout_info` text NULL, -- since 0.3
  PRIMARY KEY (`id`),
  UNIQUE INDEX `uniq_agent_id` (`agent_id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `single_agent_publish` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `agent_id` bigint unsigned NOT NULL DEFAULT 0,
  `publish_id` varchar(50) NOT NULL DEFAULT '',
  `version` varchar(255) NOT NULL DEFAULT '',
  `publish_time` bigint unsigned NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `creator_id` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `single_agent_version` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `agent_id` bigint NOT NULL DEFAULT 0,
  `creator_id` bigint NOT NULL DEFAULT 0,
  `space_id` bigint NOT NULL DEFAULT 0,
  `name` varchar(255) NOT NULL DEFAULT '',
  `description` text NULL,
  `icon_uri` varchar(255) NOT NULL DEFAULT '',
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `model_info` json NULL,
  `prompt` json NULL,
  `connector_id` bigint unsigned NOT NULL,
  `version` varchar(255) NOT NULL DEFAULT '',
  `database_config` json NULL,
  `bot_mode` tinyint NOT NULL DEFAULT 0, -- since 0.3
  `layout_info` text NULL, -- since 0.3
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `space` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `owner_id` bigint unsigned NOT NULL DEFAULT 0,
  `name` varchar(200) NOT NULL DEFAULT '',
  `description` varchar(2000) NOT NULL DEFAULT '',
  `icon_uri` varchar(200) NOT NULL DEFAULT '',
  `creator_id` bigint unsigned NOT NULL DEFAULT 0,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` bigint unsigned NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `space_user` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `space_id` bigint unsigned NOT NULL DEFAULT 0,
  `user_id` bigint unsigned NOT NULL DEFAULT 0,
  `role_type` int NOT NULL DEFAULT 3,
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE INDEX `uniq_space_user` (`space_id`, `user_id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `template` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `agent_id` bigint NOT NULL DEFAULT 0,
  `heat` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE INDEX `uniq_agent_id` (`agent_id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `tool` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `plugin_id` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `tool_draft` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `plugin_id` bigint unsigned NOT NULL DEFAULT 0,
  `operation` json NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `tool_version` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `tool_id` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `user` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(128) NOT NULL DEFAULT '',
  `unique_name` varchar(128) NOT NULL DEFAULT '',
  `email` varchar(128) NOT NULL DEFAULT '',
  `password` varchar(128) NOT NULL DEFAULT '',
  `description` varchar(512) NOT NULL DEFAULT '',
  `icon_uri` varchar(512) NOT NULL DEFAULT '',
  `user_verified` bool NOT NULL DEFAULT 0,
  `locale` varchar(128) NOT NULL DEFAULT '',
  `session_key` varchar(256) NOT NULL DEFAULT '',
  `created_at` bigint unsigned NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NOT NULL DEFAULT 0,
  `deleted_at` bigint unsigned NULL,
  PRIMARY KEY (`id`),
  INDEX `idx_session_key` (`session_key`),
  UNIQUE INDEX `uniq_email` (`email`),
  UNIQUE INDEX `uniq_unique_name` (`unique_name`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `variable_instance` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `keyword` varchar(255) NOT NULL DEFAULT '',
  `content` text NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `variables_meta` (
  `id` bigint unsigned NOT NULL DEFAULT 0,
  `creator_id` bigint unsigned NOT NULL,
  `variable_list` json NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `workflow_draft` (
  `id` bigint unsigned NOT NULL,
  `canvas` mediumtext NULL,
  `test_run_success` bool NOT NULL DEFAULT 0,
  `modified` bool NOT NULL DEFAULT 0,
  `updated_at` bigint unsigned NULL,
  `deleted_at` datetime(3) NULL,
  `commit_id` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `workflow_execution` (
  `id` bigint unsigned NOT NULL,
  `workflow_id` bigint unsigned NOT NULL,
  `status` tinyint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `workflow_meta` (
  `id` bigint unsigned NOT NULL,
  `name` varchar(256) NOT NULL,
  `description` varchar(2000) NOT NULL,
  `icon_uri` varchar(256) NOT NULL,
  `status` tinyint unsigned NOT NULL,
  `content_type` tinyint unsigned NOT NULL,
  `mode` tinyint unsigned NOT NULL,
  `created_at` bigint unsigned NOT NULL,
  `updated_at` bigint unsigned NULL,
  `deleted_at` datetime(3) NULL,
  `creator_id` bigint unsigned NOT NULL,
  `author_id` bigint unsigned NOT NULL,
  `space_id` bigint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `workflow_reference` (
  `id` bigint unsigned NOT NULL,
  `referred_id` bigint unsigned NOT NULL,
  `referring_id` bigint unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `workflow_snapshot` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `workflow_id` bigint unsigned NOT NULL,
  `commit_id` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS `workflow_version` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `workflow_id` bigint unsigned NOT NULL,
  `version` varchar(50) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
