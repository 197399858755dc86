#pragma once

/*
 * upkeep.h - sessions of external providers are renewed while they live (protocol.md 3.8)
 *
 * Every second, and as long as there are more: claims the sessions that are due (one gateway among all gets each, so a refresh token is used once), asks
 * their provider, and writes back what it says. A definitive refusal ends the session; what is temporary is tried again
 * later and ends nothing. Also drops what has expired.
 *
 * Threads    That of the loop.
 * Limits     From UPKEEP_CALLS_MAX sessions in progress on no more are claimed; a claim gives STORE_CLAIM_MAX at most.
 */

#define UPKEEP_INTERVAL_MS 1000
#define UPKEEP_PURGE_MS    60000
#define UPKEEP_CALLS_MAX   64

struct idp_service;
struct log;
struct loop;
struct snapshot;
struct store;
struct upkeep;

struct upkeep_options {
	struct loop *loop;
	struct log *log;
	struct store *store;
	struct idp_service *idps;
	/* The configuration in force: a reference. */
	struct snapshot *(*current)(void *arg);
	void *arg;
};

struct upkeep *upkeep_new(const struct upkeep_options *options);

/* Begins no more; what is in progress must have ended (idp_service_free(), store_free()) before the memory goes. */
void upkeep_stop(struct upkeep *u);
void upkeep_free(struct upkeep *u); /* NULL is ignored */
