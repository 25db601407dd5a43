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
--> statement-breakpoint
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
--> statement-breakpoint
CREATE INDEX `agents_seen` ON `agents` (`tenant_id`,`last_seen_at`);--> statement-breakpoint
CREATE TABLE `attempts` (
	`tenant_id` text NOT NULL,
	`key` text NOT NULL,
	`attempts` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `key`)
);
--> statement-breakpoint
CREATE INDEX `attempts_expiry` ON `attempts` (`expires_at`);--> statement-breakpoint
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
--> statement-breakpoint
CREATE TABLE `connections` (
	`tenant_id` text NOT NULL,
	`user_id` text NOT NULL,
	`target` text NOT NULL,
	`account` text NOT NULL,
	`state` text NOT NULL,
	`credential` text NOT NULL,
	`issuer` text NOT NULL,
	`revision` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `user_id`, `target`, `account`)
);
--> statement-breakpoint
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
--> statement-breakpoint
CREATE TABLE `dynamic_clients` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`metadata` text NOT NULL,
	`secret_hash` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);
--> statement-breakpoint
CREATE INDEX `dynamic_clients_expiry` ON `dynamic_clients` (`tenant_id`,`expires_at`);--> statement-breakpoint
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
--> statement-breakpoint
CREATE INDEX `grants_user` ON `grants` (`tenant_id`,`user_id`);--> statement-breakpoint
CREATE INDEX `grants_client` ON `grants` (`tenant_id`,`client_id`);--> statement-breakpoint
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
--> statement-breakpoint
CREATE UNIQUE INDEX `identity_providers_issuer` ON `identity_providers` (`tenant_id`,`issuer`);--> statement-breakpoint
CREATE TABLE `redirect_uris` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`uri` text NOT NULL,
	`note` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `redirect_uris_uri` ON `redirect_uris` (`tenant_id`,`uri`);--> statement-breakpoint
CREATE TABLE `revocations` (
	`tenant_id` text NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`not_before` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `kind`, `subject`)
);
--> statement-breakpoint
CREATE INDEX `revocations_expiry` ON `revocations` (`tenant_id`,`expires_at`);--> statement-breakpoint
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
--> statement-breakpoint
CREATE TABLE `used_ids` (
	`tenant_id` text NOT NULL,
	`purpose` text NOT NULL,
	`id_hash` text NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `purpose`, `id_hash`)
);
--> statement-breakpoint
CREATE INDEX `used_ids_expiry` ON `used_ids` (`expires_at`);--> statement-breakpoint
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
--> statement-breakpoint
CREATE UNIQUE INDEX `users_identity` ON `users` (`tenant_id`,`issuer`,`subject`);--> statement-breakpoint
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
--> statement-breakpoint
CREATE INDEX `web_sessions_user` ON `web_sessions` (`tenant_id`,`user_id`);--> statement-breakpoint
CREATE INDEX `web_sessions_expiry` ON `web_sessions` (`expires_at`);--> statement-breakpoint
ALTER TABLE `clients` ADD `oauth` text;--> statement-breakpoint
ALTER TABLE `servers` ADD `access` text DEFAULT '{"everyone":false,"groups":[]}' NOT NULL;