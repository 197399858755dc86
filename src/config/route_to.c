/*
 * route_to.c - where a route leads
 *
 * Each element is "tcp://host[:port][,weight]": the comma belongs to the weight. Weights are given for all
 * elements or for none.
 */

#include "config/routes.h"

#define TARGETS_MAX         256
#define TARGET_PORT_DEFAULT 80

static void report_scheme(struct loader *l, const struct value_path *path,
			  const struct text_value *item, struct str scheme)
{
	if (str_equal_nocase(scheme, STR("http")) || str_equal_nocase(scheme, STR("https")))
		loader_value_error(
			l, path, item->at,
			"\"%.*s\": forwarding to another proxy is not supported yet; use tcp://",
			STR_FMT(item->text));
	else
		loader_value_error(l, path, item->at, "\"%.*s\": a TCP route leads to tcp://",
				   STR_FMT(item->text));
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

static int read_target(struct loader *l, const struct value_path *path,
		       const struct text_value *item, struct arena *arena,
		       struct config_target *ret)
{
	struct str text = str_first(item->text, str_find(item->text, ','));
	struct url url;
	struct err e = { 0 };

	if (url_parse(text, &url, &e) < 0) {
		loader_value_error(l, path, item->at, "\"%.*s\": %s", STR_FMT(item->text), e.text);
		return -1;
	}
	if (!str_equal_nocase(url.scheme, STR("tcp"))) {
		report_scheme(l, path, item, url.scheme);
		return -1;
	}
	if ((url.path.len && !str_equal(url.path, STR("/"))) || url.has_query || url.fragment.len) {
		loader_value_error(l, path, item->at, "\"%.*s\": only host and port belong here",
				   STR_FMT(item->text));
		return -1;
	}
	bool is_local = str_equal_nocase(url.authority.host, STR("localhost"));
	*ret = (struct config_target){
		.host = is_local ? STR("127.0.0.1") : arena_copy(arena, url.authority.host),
		.port = url.authority.port ? url.authority.port : TARGET_PORT_DEFAULT,
	};
	return read_weight(l, path, item, ret);
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

		if (read_target(l, is_list ? &item : path, &to->items[i], arena, &targets[i]) < 0)
			result = -1;
	}
	if (result < 0 || check_weights(l, path, to, targets) < 0)
		return -1;
	route->targets = targets;
	route->target_count = to->count;
	return 0;
}
