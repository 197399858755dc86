/*
 * gen_reference.c - prints docs/reference.md from the option tables, so that the two cannot differ
 *
 * A section for each table; in it, first what works as a table of markdown, then the rest, grouped by what happens
 * to whoever sets it. A table that is used but has no section stops the program.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "config/environment.h"
#include "config/options.h"

struct section {
	const struct schema *schema;
	const char *title;
	const char *anchor; /* what markdown makes of the title */
	const char *introduction;
	const char *
		key; /* the mapping whose keys have variables; NULL: there are none. "": the top level */
};

static const struct section sections[] = {
	{
		.schema = &options_schema,
		.title = "Global settings",
		.anchor = "global-settings",
		.introduction = "At the top level of the file.",
		.key = "",
	},
	{
		.schema = &route_schema,
		.title = "A route",
		.anchor = "a-route",
		.introduction =
			"An element of `routes` or `policy`; [configuration.md](configuration.md#a-route) "
			"has the forms of `from` and `to`.",
	},
	{
		.schema = &user_schema,
		.title = "A local user",
		.anchor = "a-local-user",
		.introduction =
			"An element of `local_users`, and of the list in `local_users_file`.",
	},
	{
		.schema = &issuer_schema,
		.title = "An issuer of tokens",
		.anchor = "an-issuer-of-tokens",
		.introduction = "Below a name of your choice in `identity_providers`.",
	},
	{
		.schema = &certificate_schema,
		.title = "A pair of files",
		.anchor = "a-pair-of-files",
		.introduction = "An element of `certificates`. Both are needed.",
	},
	{
		.schema = &client_certificates_schema,
		.title = "Client certificates",
		.anchor = "client-certificates",
		.introduction =
			"Below `downstream_mtls`, or as `downstream_mtls.NAME` at the top level.",
		.key = "downstream_mtls",
	},
	{
		.schema = &breakers_schema,
		.title = "Limits of an upstream",
		.anchor = "limits-of-an-upstream",
		.introduction =
			"Below `circuit_breaker_thresholds`, globally or of a route. There are no limits "
			"that nobody has set. The variables are those of the global ones.",
		.key = "circuit_breaker_thresholds",
	},
	{
		.schema = &health_check_schema,
		.title = "A health check",
		.anchor = "a-health-check",
		.introduction = "An element of `health_checks`.",
	},
	{
		.schema = &tcp_check_schema,
		.title = "A health check over TCP",
		.anchor = "a-health-check-over-tcp",
		.introduction = "Below `tcp_health_check`. Without either, connecting is enough.",
	},
	{
		.schema = &payload_schema,
		.title = "Bytes",
		.anchor = "bytes",
		.introduction = "What a health check sends or expects, in one of two forms.",
	},
	{
		.schema = &runtime_flags_schema,
		.title = "Runtime flags",
		.anchor = "runtime-flags",
		.introduction =
			"Below `runtime_flags`, or as `runtime_flags.NAME` at the top level.",
		.key = "runtime_flags",
	},
};

/* What happens to whoever sets a key of the status, in the order of the page. */
struct group {
	enum setting_status status;
	const char *title;
	const char *meaning;
};

static const struct group groups[] = {
	{ SETTING_REFUSED, "Not supported yet: an error",
	  "Leaving one out could let somebody in, or would mean something else than what was asked for." },
	{ SETTING_LATER, "Not supported yet: a warning",
	  "The gateway runs as if the key were not there." },
	{ SETTING_NO_EFFECT, "Without effect on TCP routes: silence",
	  "They only mean something for HTTP routes." },
	{ SETTING_HTTP_ONLY, "For HTTP routes only: an error", "A TCP route cannot do this." },
	{ SETTING_REMOVED, "Removed: an error", "Nothing reads these any more." },
};

static const struct section *section_of(const struct schema *schema)
{
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (sections[i].schema == schema)
			return &sections[i];
	return NULL;
}

static const char *type_name(enum setting_type type)
{
	switch (type) {
	case SETTING_TEXT:
		return "text";
	case SETTING_CUSTOM:
		return "text, list or mapping";
	case SETTING_NODE:
		return "mapping or list";
	case SETTING_BOOL:
		return "true or false";
	case SETTING_NUMBER:
		return "number";
	case SETTING_DURATION:
		return "duration";
	case SETTING_LIST:
		return "list of texts";
	case SETTING_TARGETS:
		return "text or list of texts";
	case SETTING_RECORD:
		return "mapping";
	case SETTING_RECORDS:
		return "list of mappings";
	case SETTING_NAMED:
		return "mapping of names to mappings";
	case SETTING_MAP:
		return "mapping to texts";
	case SETTING_ANY:
		return "any";
	}
	abort();
}

static void print_type(const struct setting *setting)
{
	const struct section *of;

	if (!setting->table) {
		printf("%s", type_name(setting->type));
		return;
	}
	of = section_of(setting->table);
	assert(of);
	printf("%s, [see below](#%s)",
	       setting->type == SETTING_NODE ? "list" : type_name(setting->type), of->anchor);
}

static void print_default(const struct setting *setting)
{
	if (setting->default_text)
		printf("`%s`", setting->default_text);
}

static size_t count_with(const struct schema *schema, enum setting_status status)
{
	size_t count = 0;

	for (size_t i = 0; i < schema->count; i++)
		count += schema->settings[i].status == status;
	return count;
}

/* What is never looked at has no effect on anything. */
static const char *effect_name(const struct setting *setting)
{
	switch (setting->status) {
	case SETTING_NO_EFFECT:
	case SETTING_HTTP_ONLY:
	case SETTING_REMOVED:
		return "no";
	case SETTING_SUPPORTED:
	case SETTING_LATER:
	case SETTING_REFUSED:
		break;
	}
	switch (setting->effect) {
	case SETTING_EFFECT_YES:
		return "yes";
	case SETTING_EFFECT_PART:
		return "part";
	case SETTING_EFFECT_NO:
		return "no";
	}
	abort();
}

static void print_variable(const struct section *section, const struct setting *setting)
{
	struct arena arena = { 0 };
	const char *up = section->key[0] ? section->key : NULL;
	const char *name = environment_name(setting, up, &arena);

	if (name)
		printf("`%s`", name);
	else
		printf("–");
	arena_done(&arena);
}

static void print_rows(const struct section *section, enum setting_status status)
{
	const struct schema *schema = section->schema;
	bool has_variables = section->key != NULL;

	printf("| key | type | default | meaning | TCP |%s\n|---|---|---|---|---|%s\n",
	       has_variables ? " variable |" : "", has_variables ? "---|" : "");
	for (size_t i = 0; i < schema->count; i++) {
		const struct setting *setting = &schema->settings[i];

		if (setting->status != status)
			continue;
		printf("| `%s` | ", setting->key);
		print_type(setting);
		printf(" | ");
		print_default(setting);
		printf(" | %s | %s |", setting->help, effect_name(setting));
		if (has_variables) {
			printf(" ");
			print_variable(section, setting);
			printf(" |");
		}
		printf("\n");
	}
}

static void print_section(const struct section *section)
{
	printf("\n## %s\n\n%s\n", section->title, section->introduction);
	if (count_with(section->schema, SETTING_SUPPORTED)) {
		printf("\n");
		print_rows(section, SETTING_SUPPORTED);
	}
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (!count_with(section->schema, groups[i].status))
			continue;
		printf("\n### %s\n\n%s\n\n", groups[i].title, groups[i].meaning);
		print_rows(section, groups[i].status);
	}
}

static const char *const preface[] = {
	"# Every setting",
	"",
	"Made by `make reference` from the tables the configuration is read with; not to be edited.",
	"[configuration.md](configuration.md) explains what matters; here is what there is.",
	"",
	"In each section the settings that work come first. The others are known, so that a file",
	"written for the reference implementation is judged and not misread: each heading says what",
	"happens to whoever sets them. Setting one of them to its default, or to nothing, is never a",
	"problem, unless it was removed. An empty default means: not set.",
	"",
	"A list of texts may also be one text with commas. A duration is written `30s`, `5m`, `1h30m`;",
	"a bare number counts nanoseconds. Keys are not case-sensitive.",
	"",
	"*TCP* says whether a setting means something for routes that tunnel TCP: yes, no, or in part.",
	"*Variable* is the name in the environment, which wins over the file; what has – cannot be set",
	"there. [Variables](configuration.md#variables) says how values are written.",
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(preface); i++)
		printf("%s\n", preface[i]);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		print_section(&sections[i]);
	return ferror(stdout) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
