#include "proxy/reload_changes.h"

#include <string.h>

#include "base/mem.h"
#include "proxy/snapshot.h"

/* ---- what takes effect ---- */

/* Routes of a that are not in b. */
static size_t count_missing(const struct route_table *a, const struct route_table *b)
{
	size_t count = 0;

	for (size_t i = 0; i < a->count; i++)
		count += !route_table_find_id(b, str_from(a->routes[i].id));
	return count;
}

static size_t count_changed(const struct route_table *before, const struct route_table *after)
{
	size_t count = 0;

	for (size_t i = 0; i < after->count; i++) {
		const struct route *new = &after->routes[i];
		const struct route *old = route_table_find_id(before, str_from(new->id));

		count += old && old->config->digest != new->config->digest;
	}
	return count;
}

static bool are_pairs_equal(const struct config_tls *a, const struct config_tls *b)
{
	if (a->key_pair_count != b->key_pair_count)
		return false;
	for (size_t i = 0; i < a->key_pair_count; i++)
		if (!str_equal(a->key_pairs[i].certificate_pem, b->key_pairs[i].certificate_pem))
			return false;
	return true;
}

static bool are_lists_equal(const struct config_list *a, const struct config_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!str_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

static bool is_same_user(const struct config_user *a, const struct config_user *b)
{
	return str_equal(a->email, b->email) && str_equal(a->name, b->name) &&
	       str_equal(a->id, b->id) && str_equal(a->password_hash, b->password_hash) &&
	       a->disabled == b->disabled && are_lists_equal(&a->groups, &b->groups);
}

static bool are_users_equal(const struct config_users *a, const struct config_users *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_same_user(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static bool are_addresses_equal(const struct addr *a, const struct addr *b)
{
	char a_text[ADDR_TEXT_MAX];
	char b_text[ADDR_TEXT_MAX];

	addr_format(a, a_text);
	addr_format(b, b_text);
	return strcmp(a_text, b_text) == 0;
}

static bool are_keys_equal(const struct config_keys *a, const struct config_keys *b)
{
	return mem_equal_secret(a->shared_secret, b->shared_secret, sizeof(a->shared_secret)) &&
	       mem_equal_secret(a->cookie_secret, b->cookie_secret, sizeof(a->cookie_secret));
}

void reload_changes_find(const struct snapshot *before, const struct snapshot *after,
			 struct reload_changes *ret)
{
	const struct config *a = before->config;
	const struct config *b = after->config;

	*ret = (struct reload_changes){
		.routes = after->routes.count,
		.routes_added = count_missing(&after->routes, &before->routes),
		.routes_removed = count_missing(&before->routes, &after->routes),
		.routes_changed = count_changed(&before->routes, &after->routes),
		.has_new_address = !are_addresses_equal(&a->listen.address, &b->listen.address),
		.has_new_certificates = !are_pairs_equal(&a->tls, &b->tls),
		.has_new_users = !are_users_equal(&a->users, &b->users),
		.has_new_keys = !are_keys_equal(&a->keys, &b->keys),
		.has_new_log_level = a->logs.level != b->logs.level,
	};
}

/* ---- what needs a restart ---- */

void restart_settings_init(struct restart_settings *s, const struct config *config)
{
	*s = (struct restart_settings){
		.storage_type = config->storage.type,
		.storage_connection = str_copy(config->storage.connection),
		.admin_socket = str_copy(config->operator.admin_socket),
		.health_address = config->operator.health_address,
		.workers = config->listen.workers,
	};
}

void restart_settings_done(struct restart_settings *s)
{
	mem_free_secretp(&s->storage_connection);
	mem_freep(&s->admin_socket);
}

static bool is_other_type(const struct restart_settings *running, const struct config *wanted)
{
	return running->storage_type != wanted->storage.type;
}

static bool is_other_connection(const struct restart_settings *running, const struct config *wanted)
{
	return !str_equal(str_from(running->storage_connection), wanted->storage.connection);
}

static bool is_other_count(const struct restart_settings *running, const struct config *wanted)
{
	return running->workers != wanted->listen.workers;
}

static bool is_other_health(const struct restart_settings *running, const struct config *wanted)
{
	return !are_addresses_equal(&running->health_address, &wanted->operator.health_address);
}

static bool is_other_socket(const struct restart_settings *running, const struct config *wanted)
{
	return !str_equal(str_from(running->admin_socket), wanted->operator.admin_socket);
}

static const struct {
	enum restart_setting setting;
	const char *name;
	bool (*is_other)(const struct restart_settings *running, const struct config *wanted);
} restart_rows[RESTART_SETTING_COUNT] = {
	{ RESTART_STORAGE_TYPE, "databroker_storage_type", is_other_type },
	{ RESTART_STORAGE_CONNECTION, "databroker_storage_connection_string", is_other_connection },
	{ RESTART_WORKERS, "workers", is_other_count },
	{ RESTART_HEALTH_ADDRESS, "health_check_addr", is_other_health },
	{ RESTART_ADMIN_SOCKET, "admin_socket", is_other_socket },
};

unsigned restart_settings_compare(const struct restart_settings *running,
				  const struct config *wanted)
{
	unsigned settings = 0;

	for (size_t i = 0; i < RESTART_SETTING_COUNT; i++)
		if (restart_rows[i].is_other(running, wanted))
			settings |= restart_rows[i].setting;
	return settings;
}

const char *restart_setting_name(enum restart_setting setting)
{
	size_t i = 0;

	while (restart_rows[i].setting != setting)
		i++;
	return restart_rows[i].name;
}
