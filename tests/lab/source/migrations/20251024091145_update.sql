@0.5 ALTER TABLE `opencoze`.`app_static_conversation_draft` COMMENT "app_static_conversation_draft";
@0.5 ALTER TABLE `opencoze`.`app_static_conversation_online` COMMENT "app_static_conversation_online";
