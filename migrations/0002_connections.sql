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
--> statement-breakpoint
CREATE INDEX `link_attempts_link` ON `link_attempts` (`tenant_id`,`link_id`);--> statement-breakpoint
CREATE INDEX `link_attempts_user` ON `link_attempts` (`tenant_id`,`user_id`);--> statement-breakpoint
CREATE INDEX `link_attempts_expiry` ON `link_attempts` (`expires_at`);--> statement-breakpoint
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
--> statement-breakpoint
CREATE UNIQUE INDEX `stored_credentials_name` ON `stored_credentials` (`tenant_id`,`name`);--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
-- It held tokens of identity providers only, which nothing used yet; the next sign-in brings them again.
DROP TABLE `connections`;--> statement-breakpoint
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
--> statement-breakpoint
CREATE UNIQUE INDEX `connections_account` ON `connections` (`tenant_id`,`user_id`,`target`,`account`) WHERE state <> 'ending';--> statement-breakpoint
CREATE INDEX `connections_target` ON `connections` (`tenant_id`,`target`);--> statement-breakpoint
CREATE INDEX `connections_ending` ON `connections` (`tenant_id`,`state`,`next_try_at`);--> statement-breakpoint
ALTER TABLE `servers` ADD `outbound_headers` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `servers` ADD `header_secrets` text;--> statement-breakpoint
ALTER TABLE `servers` ADD `agent_authentication` text DEFAULT '{"type":"any"}' NOT NULL;--> statement-breakpoint
ALTER TABLE `servers` ADD `inbound_headers` text DEFAULT '{"forward":null,"restrict":[]}' NOT NULL;--> statement-breakpoint
ALTER TABLE `servers` ADD `authentication_revision` integer DEFAULT 1 NOT NULL;