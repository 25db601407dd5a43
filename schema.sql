-- The whole schema as one file, generated from src/db/schema.ts. A database is built from migrations/.

CREATE TABLE `clients` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`enabled` integer NOT NULL,
	`servers` text NOT NULL,
	`oauth` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE TABLE `idempotency_keys` (
	`tenant_id` text NOT NULL,
	`principal` text NOT NULL,
	`key` text NOT NULL,
	`request_hash` text NOT NULL,
	`status` integer,
	`response` text,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `principal`, `key`)
);

CREATE INDEX `idempotency_keys_created` ON `idempotency_keys` (`created_at`);
CREATE TABLE `servers` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`slug` text NOT NULL,
	`name` text NOT NULL,
	`url` text NOT NULL,
	`enabled` integer NOT NULL,
	`timeout_ms` integer NOT NULL,
	`authentication` text NOT NULL,
	`credential` text,
	`outbound_headers` text DEFAULT '[]' NOT NULL,
	`header_secrets` text,
	`agent_authentication` text DEFAULT '{"type":"any"}' NOT NULL,
	`inbound_headers` text DEFAULT '{"forward":null,"restrict":[]}' NOT NULL,
	`revision` integer NOT NULL,
	`authentication_revision` integer DEFAULT 1 NOT NULL,
	`access` text DEFAULT '{"everyone":false,"groups":[]}' NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE UNIQUE INDEX `servers_slug` ON `servers` (`tenant_id`,`slug`);
CREATE TABLE `tenants` (
	`id` text PRIMARY KEY NOT NULL,
	`initialised_at` integer NOT NULL,
	`settings` text NOT NULL,
	`updated_at` integer NOT NULL
);

CREATE TABLE `tokens` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`client_id` text,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE UNIQUE INDEX `tokens_hash` ON `tokens` (`hash`);
CREATE INDEX `tokens_client` ON `tokens` (`tenant_id`,`client_id`);
CREATE TABLE `connections` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`target` text NOT NULL,
	`account` text NOT NULL,
	`is_default` integer NOT NULL,
	`state` text NOT NULL,
	`reason` text,
	`credential` text NOT NULL,
	`issuer` text NOT NULL,
	`token_endpoint` text NOT NULL,
	`revocation_endpoint` text,
	`client_id` text NOT NULL,
	`scope` text,
	`asked_scope` text,
	`fit` text NOT NULL,
	`step_ups` integer NOT NULL,
	`revision` integer NOT NULL,
	`tries` integer NOT NULL,
	`next_try_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE UNIQUE INDEX `connections_account` ON `connections` (`tenant_id`,`user_id`,`target`,`account`) WHERE state <> 'ending';
CREATE INDEX `connections_target` ON `connections` (`tenant_id`,`target`);
CREATE INDEX `connections_ending` ON `connections` (`tenant_id`,`state`,`next_try_at`);
CREATE TABLE `link_attempts` (
	`tenant_id` text NOT NULL,
	`state_hash` text NOT NULL,
	`link_id` text NOT NULL,
	`user_id` text NOT NULL,
	`server_id` text NOT NULL,
	`pending` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	PRIMARY KEY(`tenant_id`, `state_hash`)
);

CREATE INDEX `link_attempts_link` ON `link_attempts` (`tenant_id`,`link_id`);
CREATE INDEX `link_attempts_user` ON `link_attempts` (`tenant_id`,`user_id`);
CREATE INDEX `link_attempts_expiry` ON `link_attempts` (`expires_at`);
CREATE TABLE `stored_credentials` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`holder` text NOT NULL,
	`hint` text NOT NULL,
	`credential` text,
	`revision` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE UNIQUE INDEX `stored_credentials_name` ON `stored_credentials` (`tenant_id`,`name`);
CREATE TABLE `upstream_clients` (
	`tenant_id` text NOT NULL,
	`server_id` text NOT NULL,
	`issuer` text NOT NULL,
	`server_revision` integer NOT NULL,
	`authorization_endpoint` text,
	`token_endpoint` text NOT NULL,
	`how` text NOT NULL,
	`client_id` text NOT NULL,
	`client_authentication` text NOT NULL,
	`credential` text,
	`redirect_uri` text NOT NULL,
	`expires_at` integer,
	`revision` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `server_id`, `issuer`)
);

CREATE TABLE `vault_rotations` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`kid` text NOT NULL,
	`stage` integer NOT NULL,
	`after` text NOT NULL,
	`seen_count` integer NOT NULL,
	`rewrapped_count` integer NOT NULL,
	`failed_count` integer NOT NULL,
	`started_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`finished_at` integer
);

CREATE TABLE `agent_uses` (
	`tenant_id` text NOT NULL,
	`agent_id` text NOT NULL,
	`server` text NOT NULL,
	`name` text NOT NULL,
	`calls` integer NOT NULL,
	`denied` integer NOT NULL,
	`last_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `agent_id`, `server`, `name`)
);

CREATE TABLE `agents` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`owner_id` text,
	`first_seen_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL,
	`blocked_at` integer,
	`blocked_reason` text,
	`disabled_at` integer,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE INDEX `agents_seen` ON `agents` (`tenant_id`,`last_seen_at`);
CREATE TABLE `attempts` (
	`tenant_id` text NOT NULL,
	`key` text NOT NULL,
	`attempts` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `key`)
);

CREATE INDEX `attempts_expiry` ON `attempts` (`expires_at`);
CREATE TABLE `blocked_redirects` (
	`tenant_id` text NOT NULL,
	`client_id` text NOT NULL,
	`redirect_uri` text NOT NULL,
	`client_name` text NOT NULL,
	`attempts` integer NOT NULL,
	`first_at` integer NOT NULL,
	`last_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `client_id`, `redirect_uri`)
);

CREATE TABLE `consents` (
	`tenant_id` text NOT NULL,
	`user_id` text NOT NULL,
	`client_id` text NOT NULL,
	`redirect_uri` text NOT NULL,
	`resource` text NOT NULL,
	`scope` text NOT NULL,
	`offered` text NOT NULL,
	`servers` text NOT NULL,
	`given_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `user_id`, `client_id`, `redirect_uri`, `resource`, `scope`)
);

CREATE TABLE `dynamic_clients` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`metadata` text NOT NULL,
	`secret_hash` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE INDEX `dynamic_clients_expiry` ON `dynamic_clients` (`tenant_id`,`expires_at`);
CREATE TABLE `grants` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`client_id` text NOT NULL,
	`client_name` text NOT NULL,
	`redirect_uri` text NOT NULL,
	`resource` text NOT NULL,
	`scope` text NOT NULL,
	`servers` text NOT NULL,
	`source` text NOT NULL,
	`created_at` integer NOT NULL,
	`redeemed_at` integer,
	`last_used_at` integer,
	`expires_at` integer NOT NULL,
	`revoked_at` integer,
	`revoked_reason` text,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE INDEX `grants_user` ON `grants` (`tenant_id`,`user_id`);
CREATE INDEX `grants_client` ON `grants` (`tenant_id`,`client_id`);
CREATE TABLE `identity_providers` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`issuer` text NOT NULL,
	`client_id` text NOT NULL,
	`credential` text,
	`options` text NOT NULL,
	`token_endpoint_origin` text,
	`enabled` integer NOT NULL,
	`revision` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE UNIQUE INDEX `identity_providers_issuer` ON `identity_providers` (`tenant_id`,`issuer`);
CREATE TABLE `redirect_uris` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`uri` text NOT NULL,
	`note` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE UNIQUE INDEX `redirect_uris_uri` ON `redirect_uris` (`tenant_id`,`uri`);
CREATE TABLE `revocations` (
	`tenant_id` text NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`not_before` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `kind`, `subject`)
);

CREATE INDEX `revocations_expiry` ON `revocations` (`tenant_id`,`expires_at`);
CREATE TABLE `signing_keys` (
	`tenant_id` text NOT NULL,
	`kid` text NOT NULL,
	`public_key` text NOT NULL,
	`private_key` text NOT NULL,
	`created_at` integer NOT NULL,
	`active_at` integer NOT NULL,
	`retired_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `kid`)
);

CREATE TABLE `used_ids` (
	`tenant_id` text NOT NULL,
	`purpose` text NOT NULL,
	`id_hash` text NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `purpose`, `id_hash`)
);

CREATE INDEX `used_ids_expiry` ON `used_ids` (`expires_at`);
CREATE TABLE `users` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`provider_id` text NOT NULL,
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`email` text,
	`email_verified` integer NOT NULL,
	`name` text,
	`role` text NOT NULL,
	`groups` text NOT NULL,
	`enabled` integer NOT NULL,
	`created_at` integer NOT NULL,
	`last_sign_in_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

CREATE UNIQUE INDEX `users_identity` ON `users` (`tenant_id`,`issuer`,`subject`);
CREATE TABLE `web_sessions` (
	`tenant_id` text NOT NULL,
	`hash` text NOT NULL,
	`user_id` text NOT NULL,
	`provider_id` text NOT NULL,
	`provider_session` text,
	`authenticated_at` integer NOT NULL,
	`source` text NOT NULL,
	`created_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `hash`)
);

CREATE INDEX `web_sessions_user` ON `web_sessions` (`tenant_id`,`user_id`);
CREATE INDEX `web_sessions_expiry` ON `web_sessions` (`expires_at`);
