/*
 * The two forms of an explanation. Steps come in the order of the file: rules, their operators, their criteria.
 */

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "proxy/explain.h"
#include "tls/client_ca.h"

#define JSON_MAX        (64u << 20)
#define DEPTH_CRITERION 2 /* of a step */

/* ---- for people ---- */

static void print_reasons(uint64_t reasons)
{
	const char *between = "  [";

	for (unsigned i = 0; i < REASON_COUNT; i++) {
		if (!(reasons & policy_reason_bit(i)))
			continue;
		(void)printf("%s%s", between, policy_reason_name(i));
		between = ", ";
	}
	(void)printf("]");
}

static void print_place(struct position at)
{
	if (at.line)
		(void)printf(" (%s:%u:%u)", at.file ? at.file : "", at.line, at.column);
}

static void print_step(void *arg, const struct policy_step *step)
{
	(void)printf("%-5s %*s%s", step->is_true ? "yes" : "no", (int)step->depth * 2, "",
		     step->name);
	if (step->text.len)
		(void)printf(": %.*s", STR_FMT(step->text));
	if (step->depth == DEPTH_CRITERION)
		print_reasons(step->reasons);
	print_place(step->at);
	(void)printf("\n");
}

static void print_list(const char *name, const struct config_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		(void)printf("%s%.*s", i ? ", " : name, STR_FMT(list->items[i]));
}

static void print_user(const struct policy_input *input)
{
	(void)printf("user         ");
	if (!input->has_session)
		(void)printf("nobody: not logged in");
	else
		(void)printf("%.*s", STR_FMT(input->email.len ? input->email : input->user_id));
	if (input->has_session && input->email.len && !str_equal(input->user_id, input->email))
		(void)printf(" (id %.*s)", STR_FMT(input->user_id));
	print_list(", groups ", &input->groups);
	(void)printf("\n");
}

static void print_certificate(const struct explanation *e)
{
	struct client_ca *ca = e->route->client_ca;
	enum client_certificate_verdict verdict;
	int64_t until_unix;

	if (!e->certificate) {
		if (ca)
			(void)printf("certificate  none is shown\n");
		return;
	}
	(void)printf("certificate  %.*s", STR_FMT(peer_certificate_facts(e->certificate)->subject));
	if (ca) {
		verdict = client_ca_verify(ca, e->certificate, e->input->now_unix, &until_unix);
		(void)printf(", %s", client_certificate_verdict_name(verdict));
	}
	(void)printf("\n");
}

static void print_facts(const struct explanation *e)
{
	const struct config_route *route = e->route->config;
	char text[ADDR_TEXT_MAX];
	char time[CLOCK_RFC3339_MAX];

	(void)printf("destination  %.*s\n", STR_FMT(e->destination));
	(void)printf("route        %.*s", STR_FMT(route->path));
	if (route->name.len)
		(void)printf(" \"%.*s\"", STR_FMT(route->name));
	print_place(route->at);
	(void)printf("\n");
	print_user(e->input);
	if (e->input->ip.any.sa_family) {
		addr_format_ip(&e->input->ip, text);
		(void)printf("source       %s\n", text);
	}
	clock_format_rfc3339(e->input->now_unix, time);
	(void)printf("time         %s\n", time);
	print_certificate(e);
}

static void print_decision(const struct explanation *e)
{
	const struct decision *d = &e->decision;
	char time[CLOCK_RFC3339_MAX];

	switch (d->outcome) {
	case POLICY_ALLOW:
		(void)printf("decision     allowed by %s\n", d->rule);
		break;
	case POLICY_LOGIN:
		(void)printf("decision     has to log in first\n");
		break;
	case POLICY_DENY:
		if (d->rule[0])
			(void)printf("decision     denied by %s\n", d->rule);
		else
			(void)printf("decision     denied: nothing allows it\n");
		break;
	}
	if (e->until_unix == INT64_MAX)
		return;
	clock_format_rfc3339(e->until_unix, time);
	(void)printf("until        %s at least, as far as time goes\n", time);
}

void explanation_print(const struct explanation *e)
{
	print_facts(e);
	print_decision(e);
	(void)printf("\n");
	policy_explain(e->route->policy, e->input, print_step, NULL);
}

/* ---- for programs ---- */

static void write_text(struct json_writer *w, const char *key, struct str value)
{
	json_key(w, str_from(key));
	json_text(w, value);
}

static void write_reasons(struct json_writer *w, const char *key, uint64_t reasons)
{
	json_key(w, str_from(key));
	json_array_begin(w);
	for (unsigned i = 0; i < REASON_COUNT; i++)
		if (reasons & policy_reason_bit(i))
			json_text(w, str_from(policy_reason_name(i)));
	json_array_end(w);
}

static void write_place(struct json_writer *w, struct position at)
{
	if (!at.line)
		return;
	write_text(w, "file", str_from(at.file));
	json_key(w, STR("line"));
	json_uint(w, at.line);
	json_key(w, STR("column"));
	json_uint(w, at.column);
}

static void write_step(void *arg, const struct policy_step *step)
{
	static const char *const kinds[] = { "rule", "operator", "criterion" };
	struct json_writer *w = arg;

	json_object_begin(w);
	write_text(w, "kind", str_from(kinds[step->depth]));
	write_text(w, "name", str_from(step->name));
	if (step->depth == DEPTH_CRITERION)
		write_text(w, "operand", step->text);
	json_key(w, STR("holds"));
	json_bool(w, step->is_true);
	write_reasons(w, "reasons", step->reasons);
	write_place(w, step->at);
	json_object_end(w);
}

static void write_route(struct json_writer *w, const struct config_route *route)
{
	json_key(w, STR("route"));
	json_object_begin(w);
	write_text(w, "path", route->path);
	write_text(w, "from", route->from);
	write_text(w, "name", route->name);
	write_place(w, route->at);
	json_object_end(w);
}

static void write_decision(struct json_writer *w, const struct decision *d)
{
	write_text(w, "outcome", str_from(policy_outcome_name(d->outcome)));
	write_text(w, "rule", str_from(d->rule));
	json_key(w, STR("allow"));
	json_bool(w, d->allow);
	write_reasons(w, "allow_reasons", d->allow_reasons);
	json_key(w, STR("deny"));
	json_bool(w, d->deny);
	write_reasons(w, "deny_reasons", d->deny_reasons);
}

void explanation_print_json(const struct explanation *e)
{
	struct buf out = BUF_INIT(JSON_MAX);
	struct json_writer w = { .out = &out };

	json_object_begin(&w);
	write_text(&w, "destination", e->destination);
	write_route(&w, e->route->config);
	write_decision(&w, &e->decision);
	if (e->until_unix != INT64_MAX) {
		json_key(&w, STR("valid_until"));
		json_int(&w, e->until_unix);
	}
	json_key(&w, STR("steps"));
	json_array_begin(&w);
	policy_explain(e->route->policy, e->input, write_step, &w);
	json_array_end(&w);
	json_object_end(&w);
	(void)printf("%.*s\n", STR_FMT(buf_view(&out)));
	buf_done(&out);
}
