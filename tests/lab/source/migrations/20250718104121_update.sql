@0.3+ -- Conversations of applications, and the roles of chat flows.
@0.3+ -- table: app_conversation_template_draft
@0.3+ -- table: app_conversation_template_online
@0.3+ -- table: app_dynamic_conversation_draft
@0.3+ -- table: app_dynamic_conversation_online
@0.3+ -- table: app_static_conversation_draft
@0.3+ -- table: app_static_conversation_online
@0.3+ -- table: chat_flow_role_config
