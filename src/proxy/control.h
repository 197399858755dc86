#pragma once

/*
 * control.h - what the control thread keeps for everybody
 *
 * One thread beside the workers: signals, identity providers, the upkeep of sessions, the operator's socket, health checks.
 * Workers reach it through its mailbox; what is marked may be called from any thread.
 *
 * Ownership  Part of the server (server.c), which outlives the workers.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "proxy/admission.h"
#include "proxy/lifecycle.h"
#include "proxy/reload.h"

struct admin;
struct audit_file;
struct bearer_cache;
struct change_feed;
struct end_reasons;
struct fetcher;
struct health;
struct health_checks;
struct idp_service;
struct keyring;
struct log;
struct loop;
struct mailbox;
struct metrics;
struct redirect_listener;
struct snapshot;
struct store;
struct upkeep;
struct worker;

struct control {
	struct log *log; /* any thread */
	struct audit_file *audit;
	struct store *store; /* any thread */
	struct loop *loop;
	struct mailbox *mailbox; /* any thread may post */
	struct fetcher *fetcher;
	struct keyring *keyring;         /* any thread: keyring_find() */
	struct idp_service *idps;        /* any thread: idp_service_metadata() */
	struct bearer_cache *bearers;    /* any thread */
	struct change_feed *changes;     /* any thread */
	struct end_reasons *end_reasons; /* any thread */
	struct upkeep *upkeep;
	struct health *health;
	struct health_checks *health_checks;
	struct redirect_listener *redirects;
	struct metrics *metrics;
	struct admin *admin;       /* NULL: there is no operator's socket */
	struct snapshot *snapshot; /* the one in force; referenced */
	struct worker **workers;   /* the server's */
	size_t worker_count;
	struct addr address; /* where the workers listen */
	struct lifecycle life;
	struct admission admission;        /* any thread */
	atomic_uint_fast64_t store_errors; /* any thread: how often the store went away */
	struct reload *reload;             /* the server's */
};

/* log and snapshot are set. Opens the store and everything else, on this thread. */
int control_start(struct control *c, struct err *e);

/*
 * When the workers have stopped and before they are freed: everything that was asked of us is answered, into mailboxes that nobody
 * reads any more.
 */
void control_stop(struct control *c);

/* When the workers are freed. */
void control_done(struct control *c);
