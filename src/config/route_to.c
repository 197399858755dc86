/*
 * route_to.c - where a route leads
 *
 * Each element is a host, a socket or another proxy, with or without a weight: "tcp://host[:port][,weight]",
 * "unix:///path[,weight]", "http[s]://host[:port][,weight]"; those of a UDP route are "udp://host:port[,weight]". The comma belongs to the weight. Weights are given for all
 * elements or for none.
 */

#include "config/routes.h"

#define TARGETS_MAX   256
#define UNIX_PATH_MAX 107 /* what the kernel takes */

static const struct hop {
	const char *scheme;
	enum config_hop hop;
	uint16_t port;
} hops[] = {
	{ "tcp", CONFIG_HOP_TCP, 80 },         { "unix", CONFIG_HOP_UNIX, 0 },
	{ "http", CONFIG_HOP_HTTP_PROXY, 80 }, { "https", CONFIG_HOP_HTTPS_PROXY, 443 },
	{ "udp", CONFIG_HOP_UDP, 0 },
};

/* Of those that a route of that kind can lead to. */
static const struct hop *find_hop(struct str scheme, bool is_udp)
{
	for (size_t i = 0; i < ARRAY_LEN(hops); i++)
		if ((hops[i].hop == CONFIG_HOP_UDP) == is_udp &&
		    str_equal_nocase(scheme, str_from(hops[i].scheme)))
			return &hops[i];
	return NULL;
}

static int read_weight(struct loader *l, const struct value_path *path,
		       const struct text_value *item, struct config_target *target)
{
	size_t comma = str_find(item->text, ',');
	struct str text = str_from_pos(item->text, comma + 1);
	uint64_t weight;

	if (comma == item->text.len)
		return 0;
	if (!str_to_uint64(text, &weight) || weight == 0 || weight > UINT32_MAX) {
		loader_value_error(l, path, item->at,
				   "\"%.*s\" is not a weight (a number above 0); several "
				   "upstreams are written as a list",
				   STR_FMT(text));
		return -1;
	}
	target->weight = (uint32_t)weight;
	target->is_weighted = true;
	return 0;
}

static int read_unix(struct loader *l, const struct value_path *path, const struct text_value *item,
		     struct str text, struct config_target *target)
{
	struct str file = str_from_pos(text, sizeof("unix://") - 1);

	if (!str_starts_with(file, STR("/")) || file.len > UNIX_PATH_MAX) {
		loader_value_error(l, path, item->at,
				   "\"%.*s\" must be unix:// and an absolute path of at most %d "
				   "bytes",
				   STR_FMT(item->text), UNIX_PATH_MAX);
		return -1;
	}
	target->host = file;
	return 0;
}

static int read_host(struct loader *l, const struct value_path *path, const struct text_value *item,
		     struct str text, struct config_target *target)
{
	struct url url;
	struct err e = { 0 };

	if (url_parse(text, &url, &e) < 0) {
		loader_value_error(l, path, item->at, "\"%.*s\": %s", STR_FMT(item->text), e.text);
		return -1;
	}
	if ((url.path.len && !str_equal(url.path, STR("/"))) || url.has_query || url.fragment.len) {
		loader_value_error(l, path, item->at, "\"%.*s\": only host and port belong here",
				   STR_FMT(item->text));
		return -1;
	}
	target->host = url.authority.host;
	if (str_equal_nocase(target->host, STR("localhost")))
		target->host = STR("127.0.0.1");
	if (url.authority.port)
		target->port = url.authority.port;
	if (target->hop == CONFIG_HOP_UDP && !target->port) {
		loader_value_error(l, path, item->at, "\"%.*s\" needs a port", STR_FMT(item->text));
		return -1;
	}
	return 0;
}

static void refuse_scheme(struct loader *l, const struct value_path *path,
			  const struct text_value *item, bool is_udp)
{
	loader_value_error(l, path, item->at, "\"%.*s\": a %s", STR_FMT(item->text),
			   is_udp ? "UDP route leads to udp://"
				  : "TCP route leads to tcp://, unix://, or to a proxy: "
				    "http:// or https://");
}

static int read_target(struct loader *l, const struct value_path *path,
		       const struct text_value *item, struct arena *arena,
		       struct config_target *ret)
{
	bool is_udp = ret->hop == CONFIG_HOP_UDP;
	struct str text = arena_copy(arena, str_first(item->text, str_find(item->text, ',')));
	struct str scheme = str_first(text, str_find(text, ':'));
	const struct hop *hop = find_hop(scheme, is_udp);
	bool is_url = str_starts_with(str_from_pos(text, scheme.len), STR("://"));

	if (is_url && !hop) {
		refuse_scheme(l, path, item, is_udp);
		return -1;
	}
	if (hop)
		*ret = (struct config_target){ .hop = hop->hop, .port = hop->port };
	int result = is_url && hop->hop == CONFIG_HOP_UNIX ? read_unix(l, path, item, text, ret)
							   : read_host(l, path, item, text, ret);
	return result < 0 ? -1 : read_weight(l, path, item, ret);
}

static bool is_proxy(const struct config_target *target)
{
	return target->hop == CONFIG_HOP_HTTP_PROXY || target->hop == CONFIG_HOP_HTTPS_PROXY;
}

static const char *hop_scheme(enum config_hop hop)
{
	for (size_t i = 0; i < ARRAY_LEN(hops); i++)
		if (hops[i].hop == hop)
			return hops[i].scheme;
	return "";
}

/* What is sent first is another thing for a proxy and for a plain upstream. */
static int check_hops(struct loader *l, const struct value_path *path, const struct list_value *to,
		      const struct config_target *targets)
{
	for (size_t i = 1; i < to->count; i++) {
		if (targets[i].hop == targets[0].hop ||
		    (is_proxy(&targets[i]) && is_proxy(&targets[0])))
			continue;
		loader_value_error(l, path, to->items[i].at, "cannot mix %s:// and %s://",
				   hop_scheme(targets[0].hop), hop_scheme(targets[i].hop));
		return -1;
	}
	return 0;
}

static int check_weights(struct loader *l, const struct value_path *path,
			 const struct list_value *to, const struct config_target *targets)
{
	for (size_t i = 1; i < to->count; i++) {
		if (targets[i].is_weighted == targets[0].is_weighted)
			continue;
		loader_value_error(l, path, to->items[i].at,
				   "weights must be given for all elements or for none");
		return -1;
	}
	return 0;
}

int route_read_to(struct loader *l, const struct value_path *path, const struct list_value *to,
		  struct arena *arena, struct config_route *route)
{
	if (to->count == 0 || to->count > TARGETS_MAX) {
		loader_value_error(l, path, to->at, "needs between 1 and %d upstreams",
				   TARGETS_MAX);
		return -1;
	}
	struct config_target *targets = arena_alloc_array(arena, to->count, sizeof(*targets));
	bool is_list = to->items[0].at.line != to->at.line ||
		       to->items[0].at.column != to->at.column;
	int result = 0;

	for (size_t i = 0; i < to->count; i++) {
		struct value_path item = { .up = path, .index = i };

		targets[i].hop = route->is_udp ? CONFIG_HOP_UDP : CONFIG_HOP_TCP;
		if (read_target(l, is_list ? &item : path, &to->items[i], arena, &targets[i]) < 0)
			result = -1;
	}
	if (result < 0 || check_hops(l, path, to, targets) < 0 ||
	    check_weights(l, path, to, targets) < 0)
		return -1;
	route->targets = targets;
	route->target_count = to->count;
	return 0;
}
