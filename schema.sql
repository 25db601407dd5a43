-- The whole schema as one file, generated from src/db/schema.ts. A database is built from migrations/.

CREATE TABLE `clients` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`enabled` integer NOT NULL,
	`servers` text NOT NULL,
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
	`revision` integer NOT NULL,
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
