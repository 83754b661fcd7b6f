-- The rows that a fresh installation begins with; harmless when they are there.
INSERT INTO single_agent_draft (agent_id, creator_id, space_id, name, description, icon_uri, model_info, created_at, updated_at)
VALUES (7416518827749425204, 0, 0, 'Lab template', 'Template agent of the lab', 'default_icon/template_7416518827749425204.png', '{"model_id": "100001"}', 1753851600000, 1753851600000)
ON DUPLICATE KEY UPDATE name = VALUES(name);

INSERT INTO template (agent_id, heat) VALUES (7416518827749425204, 1)
ON DUPLICATE KEY UPDATE heat = VALUES(heat);

INSERT INTO workflow_meta (id, name, description, icon_uri, status, content_type, mode, created_at, creator_id, author_id, space_id)
VALUES (1, 'lab_example', 'Example workflow of the lab', 'default_icon/default_workflow_icon.png', 0, 1, 0, 1753851600000, 0, 0, 0)
ON DUPLICATE KEY UPDATE name = VALUES(name);

INSERT INTO workflow_draft (id, canvas, updated_at, commit_id)
VALUES (1, '{"nodes": [], "edges": []}', 1753851600000, 'lab; the semicolon is part of the value')
ON DUPLICATE KEY UPDATE commit_id = VALUES(commit_id);
