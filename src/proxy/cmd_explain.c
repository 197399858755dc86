/*
 * pomerium explain: who may reach what, and why; from the configuration alone.
 *
 * The facts are those given. A user of local_users brings id, name and groups along, where nothing else is said of the
 * groups.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "policy/time_parse.h"
#include "proxy/client_certificate.h"
#include "proxy/command_load.h"
#include "proxy/commands.h"
#include "proxy/explain.h"

#define EXIT_DENIED          4
#define EXIT_NO_ROUTE        5
#define CERTIFICATE_FILE_MAX (1u << 20)
#define FACTS_CLAIMS_MAX     (FLAG_VALUES_MAX + 3) /* and those that follow from the user */

struct explain_flags {
	const char *config;
	const char *user;
	const char *groups[FLAG_VALUES_MAX + 1];
	const char *claims[FLAG_VALUES_MAX + 1];
	const char *source_ip;
	const char *at;
	const char *client_cert;
	const char *json;
	const char *help;
};

/* A claim may be given several times: each is one of its values. */
struct facts {
	struct policy_input input;
	struct peer_certificate *certificate; /* NULL: none */
	struct str groups[FLAG_VALUES_MAX];
	struct config_pair claims[FACTS_CLAIMS_MAX];
	size_t claim_count;
};

/* Groups are a claim as well. */
static bool find_claim(const void *who, struct str name, size_t index, struct policy_value *ret)
{
	const struct facts *facts = who;
	const struct config_list *groups = &facts->input.groups;

	for (size_t i = 0; i < facts->claim_count; i++) {
		if (!str_equal(facts->claims[i].name, name) || index-- > 0)
			continue;
		*ret = (struct policy_value){
			.kind = POLICY_VALUE_UNTYPED,
			.text = facts->claims[i].value,
		};
		return true;
	}
	if (!str_equal(name, STR("groups")) || index >= groups->count)
		return false;
	*ret = (struct policy_value){ .kind = POLICY_VALUE_UNTYPED, .text = groups->items[index] };
	return true;
}

static void add_claim(struct facts *facts, struct str name, struct str value)
{
	if (!str_is_empty(value))
		facts->claims[facts->claim_count++] = (struct config_pair){ .name = name,
									    .value = value };
}

static int read_claims(struct facts *facts, const struct explain_flags *flags)
{
	for (size_t i = 0; flags->claims[i]; i++) {
		struct str text = str_from(flags->claims[i]);
		size_t equals = str_find(text, '=');

		if (equals == 0 || equals == text.len)
			return command_fail(-1, "--claim takes NAME=VALUE, not \"%s\"",
					    flags->claims[i]);
		facts->claims[facts->claim_count++] = (struct config_pair){
			.name = str_first(text, equals),
			.value = str_from_pos(text, equals + 1),
		};
	}
	return 0;
}

static void read_groups(struct facts *facts, const struct explain_flags *flags)
{
	size_t count = 0;

	for (; flags->groups[count]; count++)
		facts->groups[count] = str_from(flags->groups[count]);
	facts->input.groups = (struct config_list){ .items = facts->groups, .count = count };
}

static void read_user(struct facts *facts, const struct explain_flags *flags,
		      const struct snapshot *snapshot)
{
	struct policy_input *input = &facts->input;
	struct str user = str_from(flags->user);
	const struct local_user *local = local_users_find(snapshot->users, user);

	input->has_session = true;
	input->user_id = local ? local->id : user;
	input->email = str_find(user, '@') < user.len ? user : (struct str){ 0 };
	if (local)
		input->email = local->email;
	if (local && !input->groups.count)
		input->groups = (struct config_list){ .items = local->groups,
						      .count = local->group_count };
	add_claim(facts, STR("sub"), input->user_id);
	add_claim(facts, STR("email"), input->email);
	add_claim(facts, STR("name"), local ? local->name : (struct str){ 0 });
	input->claim = find_claim;
	input->who = facts;
}

static int read_circumstances(struct facts *facts, const struct explain_flags *flags)
{
	struct policy_input *input = &facts->input;

	input->method = STR("CONNECT");
	input->now_unix = clock_now_unix();
	if (flags->at && !time_parse_date(str_from(flags->at), &input->now_unix))
		return command_fail(-1, "--at takes a time like 2026-01-31T16:20:00Z, not \"%s\"",
				    flags->at);
	if (flags->source_ip && !addr_from_ip(str_from(flags->source_ip), 0, &input->ip))
		return command_fail(-1, "--source-ip takes an IP address, not \"%s\"",
				    flags->source_ip);
	if (!flags->user && (flags->groups[0] || flags->claims[0]))
		return command_fail(-1, "--group and --claim are about a user: --user is missing");
	return 0;
}

static int read_certificate(const char *path, struct peer_certificate **ret, struct err *e)
{
	struct buf pem = BUF_INIT(CERTIFICATE_FILE_MAX);
	int result = file_read(path, &pem, e);

	if (result == 0 && peer_certificate_parse(buf_view(&pem), ret, e) < 0)
		result = err_wrap(e, "%s", path);
	buf_done_secret(&pem); /* the key may be in the same file */
	return result;
}

/* "host:port", "tcp+https://host:port" or "tcp+https://gateway/host:port": as pomerium-cli takes it. */
static struct str destination_of(struct str text)
{
	size_t colon = str_find(text, ':');
	struct str rest = str_from_pos(text, colon);

	if (!str_starts_with(rest, STR("://")))
		return text;
	rest = str_from_pos(rest, strlen("://"));
	struct str path = str_from_pos(rest, str_find(rest, '/') + 1);
	return str_is_empty(path) ? str_first(rest, str_find(rest, '/'))
				  : str_first(path, str_find(path, '/'));
}

static int explain(const struct snapshot *snapshot, struct facts *facts,
		   const struct authority *destination, bool is_json)
{
	const struct route *route = route_table_find(&snapshot->routes, destination);
	struct explanation e = {
		.destination = destination->text,
		.route = route,
		.input = &facts->input,
		.certificate = facts->certificate,
	};
	int64_t now = facts->input.now_unix;

	if (!route)
		return command_fail(EXIT_NO_ROUTE, "no route is called %.*s",
				    STR_FMT(destination->text));
	facts->input.host = destination->text;
	client_certificate_judge(route->client_ca, facts->certificate, now,
				 &facts->input.certificate, &e.until_unix);
	int64_t next = policy_next_change(route->policy, now);
	e.until_unix = next < e.until_unix ? next : e.until_unix;
	policy_eval(route->policy, &facts->input, &e.decision);
	if (is_json)
		explanation_print_json(&e);
	else
		explanation_print(&e);
	return e.decision.outcome == POLICY_ALLOW ? 0 : EXIT_DENIED;
}

static int explain_with(const struct explain_flags *flags, struct facts *facts,
			const struct authority *destination)
{
	struct report report = { 0 };
	struct snapshot *snapshot = command_load(flags->config, &report);
	int status = 1;

	if (snapshot) {
		read_groups(facts, flags);
		if (flags->user)
			read_user(facts, flags, snapshot);
		status = explain(snapshot, facts, destination, flags->json != NULL);
	} else {
		command_show_problems(&report);
	}
	snapshot_unref(snapshot);
	report_done(&report);
	return status;
}

static int run(const struct explain_flags *flags, const char *word)
{
	_cleanup_(mem_freep) struct facts *facts = mem_alloc(sizeof(*facts));
	struct authority destination;
	struct err e = { 0 };

	if (authority_parse_connect(destination_of(str_from(word)), &destination, &e) < 0)
		return command_fail(EXIT_USAGE, "\"%s\" is not a destination (host:port): %s", word,
				    e.text);
	if (read_circumstances(facts, flags) < 0 || read_claims(facts, flags) < 0)
		return EXIT_USAGE;
	if (flags->client_cert && read_certificate(flags->client_cert, &facts->certificate, &e) < 0)
		return command_fail(1, "%s", e.text);
	int status = explain_with(flags, facts, &destination);
	peer_certificate_unref(facts->certificate);
	return status;
}

int command_explain(int argc, char **argv)
{
	struct explain_flags values = { 0 };
	const struct flag table[] = {
		{ "config", "FILE", "the configuration, YAML or JSON", &values.config },
		{ "user", "USER", "an e-mail address or an id; without it, nobody", &values.user },
		{ "group", "GROUP...", "a group of the user; may be repeated", values.groups },
		{ "claim", "NAME=VALUE...", "a claim of the user; may be repeated", values.claims },
		{ "source-ip", "IP", "where the user comes from", &values.source_ip },
		{ "at", "TIME", "2026-01-31T16:20:00Z; by default now", &values.at },
		{ "client-cert", "FILE", "the client's certificate, as PEM file",
		  &values.client_cert },
		{ "json", NULL, "for programs", &values.json },
		{ "help", NULL, "print this", &values.help },
	};
	const char *word = NULL;
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, &word, 1);

	if (count < 0)
		return EXIT_USAGE;
	if (values.help) {
		(void)printf(
			"pomerium explain --config FILE [flags] DESTINATION - may the user reach "
			"it, and why\n\nEnds with 0 if so, 4 if not, 5 if there is no such route."
			"\n\nFlags:\n");
		flags_print(table, ARRAY_LEN(table));
		return 0;
	}
	if (!values.config)
		return command_fail(EXIT_USAGE, "--config FILE is missing");
	if (count == 0)
		return command_fail(EXIT_USAGE, "the destination is missing, see --help");
	return run(&values, word);
}
