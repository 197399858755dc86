/*
 * route_checks.c - health checks of a route's upstreams, in the words of the reference (configuration.md 7.3)
 */

#include "base/codec.h"
#include "config/names.h"
#include "config/routes.h"

#define PAYLOAD_MAX 4096
#define RECEIVE_MAX 16

#define TIMEOUT_DEFAULT_MS          5000
#define INTERVAL_DEFAULT_MS         10000
#define UNHEALTHY_THRESHOLD_DEFAULT 2
#define HEALTHY_THRESHOLD_DEFAULT   1

static struct str read_payload(struct loader *l, const struct value_path *path, struct position at,
			       const struct payload_options *o, struct arena *arena)
{
	bool is_hex = value_is_set(o->text.at);
	const struct text_value *value = is_hex ? &o->text : &o->binary;
	struct value_path here = { .up = path, .key = is_hex ? STR("text") : STR("binary") };
	struct buf bytes = BUF_INIT(PAYLOAD_MAX);
	struct str copy = { 0 };

	if (value_is_set(o->text.at) == value_is_set(o->binary.at)) {
		loader_key_error(l, path, at, "needs either text or binary");
		return copy;
	}
	int result = is_hex ? hex_decode(&bytes, value->text)
			    : base64_decode(&bytes, BASE64_STANDARD, value->text);
	if (result < 0)
		loader_value_error(l, &here, value->at, "is not %s of at most %d bytes",
				   is_hex ? "hexadecimal" : "standard base64", PAYLOAD_MAX);
	else
		copy = arena_copy(arena, buf_view(&bytes));
	buf_done(&bytes);
	return copy;
}

static void read_talk(struct loader *l, const struct value_path *up, const struct yaml_node *node,
		      struct arena *arena, struct config_health_check *ret)
{
	struct value_path path = { .up = up, .key = STR("tcp_health_check") };
	struct value_path send = { .up = &path, .key = STR("send") };
	struct value_path receive = { .up = &path, .key = STR("receive") };
	struct tcp_check_options o = { 0 };

	schema_load(l, &path, node, &tcp_check_schema, &o);
	if (value_is_set(o.send.text.at) || value_is_set(o.send.binary.at))
		ret->send = read_payload(l, &send, node->at, &o.send, arena);
	if (!o.receive.count)
		return;
	if (o.receive.count > RECEIVE_MAX) {
		loader_value_error(l, &receive, o.receive.at, "has more than %d elements",
				   RECEIVE_MAX);
		return;
	}
	struct str *items = arena_alloc_array(arena, o.receive.count, sizeof(*items));
	const struct payload_options *expected = o.receive.items;

	for (size_t i = 0; i < o.receive.count; i++) {
		struct value_path item = { .up = &receive, .index = i };

		items[i] = read_payload(l, &item, expected[i].at, &expected[i], arena);
	}
	ret->receive = (struct config_list){ items, o.receive.count };
}

static uint32_t read_threshold(struct loader *l, const struct value_path *up, struct str key,
			       const struct number_value *value, uint32_t otherwise)
{
	struct value_path path = { .up = up, .key = key };

	if (value_is_set(value->at) && value->number == 0)
		loader_value_error(l, &path, value->at, "must be at least 1");
	return number_read(l, &path, value, UINT32_MAX, otherwise);
}

static uint64_t read_time(struct loader *l, const struct value_path *up, struct str key,
			  const struct duration_value *value, uint64_t otherwise)
{
	struct value_path path = { .up = up, .key = key };
	uint64_t ms = milliseconds_read(l, &path, value, otherwise);

	if (ms == 0)
		loader_value_error(l, &path, value->at, "must not be 0");
	return ms;
}

/* False for a check that is not made. */
static bool read_check(struct loader *l, const struct value_path *path,
		       const struct health_check_options *o, struct arena *arena,
		       struct config_health_check *ret)
{
	struct value_path other = { .up = path,
				    .key = o->http ? STR("http_health_check")
						   : STR("grpc_health_check") };
	int kinds = (o->tcp != NULL) + (o->http != NULL) + (o->grpc != NULL);

	if (kinds != 1) {
		loader_key_error(l, path, o->at,
				 kinds ? "must be of one kind only" : "needs a tcp_health_check");
		return false;
	}
	if (!o->tcp) {
		loader_key_warning(l, &other, o->http ? o->http->at : o->grpc->at,
				   "has no effect on a TCP route");
		return false;
	}
	*ret = (struct config_health_check){
		.timeout_ms = read_time(l, path, STR("timeout"), &o->timeout, TIMEOUT_DEFAULT_MS),
		.interval_ms = read_time(l, path, STR("interval"), &o->interval,
					 INTERVAL_DEFAULT_MS),
		.unhealthy_threshold = read_threshold(l, path, STR("unhealthy_threshold"),
						      &o->unhealthy_threshold,
						      UNHEALTHY_THRESHOLD_DEFAULT),
		.healthy_threshold = read_threshold(l, path, STR("healthy_threshold"),
						    &o->healthy_threshold,
						    HEALTHY_THRESHOLD_DEFAULT),
	};
	read_talk(l, path, o->tcp, arena, ret);
	return true;
}

void route_read_checks(struct loader *l, const struct value_path *up,
		       const struct records_value *records, struct arena *arena,
		       struct config_upstream *ret)
{
	struct value_path path = { .up = up, .key = STR("health_checks") };
	const struct health_check_options *options = records->items;
	struct config_health_check *items;

	if (!records->count)
		return;
	if (records->count > CONFIG_CHECKS_MAX) {
		loader_value_error(l, &path, records->at, "has more than %d elements",
				   CONFIG_CHECKS_MAX);
		return;
	}
	items = arena_alloc_array(arena, records->count, sizeof(*items));
	for (size_t i = 0; i < records->count; i++) {
		struct value_path item = { .up = &path, .index = i };

		if (read_check(l, &item, &options[i], arena, &items[ret->check_count]))
			ret->check_count++;
	}
	ret->checks = items;
}
