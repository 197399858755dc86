#include "proxy/control.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/fetch.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "proxy/bearer_cache.h"
#include "proxy/change_feed.h"
#include "proxy/admin.h"
#include "proxy/audit_file.h"
#include "proxy/end_reasons.h"
#include "proxy/health.h"
#include "proxy/health_check.h"
#include "proxy/idp_service.h"
#include "proxy/keyring.h"
#include "proxy/metrics.h"
#include "proxy/reload.h"
#include "proxy/redirect_listener.h"
#include "proxy/snapshot.h"
#include "proxy/state_dir.h"
#include "proxy/upkeep.h"
#include "session/store.h"

#define PATH_LEN_MAX 4096

/* Where a file store is: in the directory that was configured, else in the state directory. */
static int find_store_file(const struct config_storage *storage, struct buf *out, struct err *e)
{
	if (!str_is_empty(storage->connection))
		(void)buf_append_str(out, storage->connection);
	else if (state_dir_path(out, e) < 0)
		return err_wrap(e, "databroker_storage_type is file");
	if (buf_append_str(out, STR("/sessions.db")) < 0)
		return err_set(e, ERR_LIMIT,
			       "databroker_storage_connection_string: the path is too long");
	return 0;
}

static void on_store_change(void *arg, const char *id)
{
	struct control *c = arg;

	change_feed_tell(c->changes, id);
}

/* While it was away we heard of nothing. */
static void on_store_state(void *arg, const struct err *away)
{
	struct control *c = arg;

	if (away) {
		(void)atomic_fetch_add(&c->store_errors, 1);
		log_error(c->log, LOG_ERROR, "store",
			  "session store is away: known sessions go on, others are refused", away);
		return;
	}
	change_feed_tell(c->changes, NULL);
	log_message(c->log, LOG_INFO, "store", "session store is available");
}

static int open_store(struct control *c, struct err *e)
{
	const struct config_storage *storage = &c->snapshot->config->storage;
	struct store_options options = {
		.type = STORE_MEMORY,
		.shared_key = c->snapshot->shared_key,
		.on_change = on_store_change,
		.on_state = on_store_state,
		.arg = c,
	};
	struct buf path = BUF_INIT(PATH_LEN_MAX);
	int result = 0;

	switch (storage->type) {
	case CONFIG_STORAGE_MEMORY:
		break;
	case CONFIG_STORAGE_FILE:
		options.type = STORE_FILE;
		result = find_store_file(storage, &path, e);
		options.where = buf_view(&path);
		break;
	case CONFIG_STORAGE_POSTGRES:
		options.type = STORE_POSTGRES;
		options.where = storage->connection;
		break;
	}
	if (result == 0)
		result = store_open(&options, &c->store, e);
	buf_done(&path);
	return result;
}

static struct snapshot *current_snapshot(void *arg)
{
	struct control *c = arg;

	return snapshot_ref(c->snapshot);
}

static int open_redirects(struct control *c, struct err *e)
{
	const struct config_listen *listen = &c->snapshot->config->listen;
	struct redirect_change change;

	c->redirects = redirect_listener_new(c);
	if (redirect_listener_prepare(c->redirects, listen, &change, e) < 0)
		return -1;
	redirect_listener_commit(c->redirects, listen, &change);
	return 0;
}

static int open_audit(struct control *c, struct err *e)
{
	int fd;

	c->audit = audit_file_new(c->log, e);
	if (!c->audit || audit_file_prepare(&c->snapshot->config->logs, &fd, e) < 0)
		return -1;
	audit_file_commit(c->audit, fd);
	return 0;
}

static int open_metrics(struct control *c, struct err *e)
{
	struct metrics_change change;

	if (metrics_prepare(c->metrics, c->snapshot, &change, e) < 0)
		return -1;
	metrics_commit(c->metrics, c->snapshot, &change);
	return 0;
}

int control_start(struct control *c, struct err *e)
{
	c->loop = loop_new();
	c->mailbox = mailbox_open(c->loop);
	c->changes = change_feed_new();
	c->end_reasons = end_reasons_new();
	if (open_store(c, e) < 0)
		return -1;
	c->fetcher = fetcher_new(
		c->loop,
		&(struct fetcher_options){ .extra_ca_pem = c->snapshot->config->tls.authority_pem },
		e);
	if (!c->fetcher)
		return -1;
	c->bearers = bearer_cache_new();
	c->keyring = keyring_new(c->loop, c->fetcher);
	c->idps = idp_service_new(c->loop, c->fetcher, c->keyring);
	c->upkeep = upkeep_new(&(struct upkeep_options){
		.loop = c->loop,
		.log = c->log,
		.store = c->store,
		.idps = c->idps,
		.current = current_snapshot,
		.arg = c,
	});
	c->health_checks = health_checks_new(c->loop, c->log);
	health_checks_set(c->health_checks, c->snapshot);
	c->metrics = metrics_new(c);
	if (open_audit(c, e) < 0 || open_redirects(c, e) < 0 || open_metrics(c, e) < 0 ||
	    health_open(c, &c->health, e) < 0)
		return -1;
	return admin_open(c, &c->admin, e);
}

void control_stop(struct control *c)
{
	admin_close(TAKE(c->admin));
	metrics_free(TAKE(c->metrics));
	health_checks_free(TAKE(c->health_checks));
	redirect_listener_free(TAKE(c->redirects));
	health_close(TAKE(c->health));
	if (c->upkeep)
		upkeep_stop(c->upkeep);
	idp_service_free(TAKE(c->idps));
	store_free(TAKE(c->store));
}

void control_done(struct control *c)
{
	upkeep_free(TAKE(c->upkeep));
	bearer_cache_free(TAKE(c->bearers));
	end_reasons_free(TAKE(c->end_reasons));
	change_feed_free(TAKE(c->changes));
	keyring_free(TAKE(c->keyring));
	fetcher_free(TAKE(c->fetcher));
	mailbox_close(TAKE(c->mailbox));
	reload_close(TAKE(c->reload)); /* nothing comes from the workers any more */
	lifecycle_close(&c->life);
	if (c->loop)
		loop_turn(c->loop, false);
	loop_free(TAKE(c->loop));
	audit_file_free(TAKE(c->audit));
	snapshot_unref(TAKE(c->snapshot));
}
