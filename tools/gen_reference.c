/*
 * gen_reference.c - prints docs/reference.md from the option tables, so that the two cannot differ
 *
 * A section for each table; in it, first what works as a table of markdown, then the rest, grouped by what happens
 * to whoever sets it. A table that is used but has no section stops the program.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "config/options.h"

struct section {
	const struct schema *schema;
	const char *title;
	const char *anchor; /* what markdown makes of the title */
	const char *introduction;
};

static const struct section sections[] = {
	{ &options_schema, "Global settings", "global-settings", "At the top level of the file." },
	{ &route_schema, "A route", "a-route",
	  "An element of `routes` or `policy`; [configuration.md](configuration.md#a-route) has the "
	  "forms of `from` and `to`." },
	{ &user_schema, "A local user", "a-local-user",
	  "An element of `local_users`, and of the list in `local_users_file`." },
	{ &issuer_schema, "An issuer of tokens", "an-issuer-of-tokens",
	  "Below a name of your choice in `identity_providers`." },
	{ &certificate_schema, "A pair of files", "a-pair-of-files",
	  "An element of `certificates`. Both are needed." },
	{ &client_certificates_schema, "Client certificates", "client-certificates",
	  "Below `downstream_mtls`, or as `downstream_mtls.NAME` at the top level." },
	{ &breakers_schema, "Limits of an upstream", "limits-of-an-upstream",
	  "Below `circuit_breaker_thresholds`. There are no limits that nobody has set." },
	{ &health_check_schema, "A health check", "a-health-check",
	  "An element of `health_checks`." },
	{ &tcp_check_schema, "A talk", "a-talk", "Below `tcp_health_check`." },
	{ &payload_schema, "Bytes", "bytes", "Either of them." },
	{ &runtime_flags_schema, "Runtime flags", "runtime-flags",
	  "Below `runtime_flags`, or as `runtime_flags.NAME` at the top level." },
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
	case SETTING_NODE:
		return "text, list or mapping";
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

static void print_rows(const struct schema *schema, enum setting_status status)
{
	printf("| key | type | default | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < schema->count; i++) {
		const struct setting *setting = &schema->settings[i];

		if (setting->status != status)
			continue;
		printf("| `%s` | ", setting->key);
		print_type(setting);
		printf(" | ");
		print_default(setting);
		printf(" | %s |\n", setting->help);
	}
}

static void print_section(const struct section *section)
{
	printf("\n## %s\n\n%s\n", section->title, section->introduction);
	if (count_with(section->schema, SETTING_SUPPORTED)) {
		printf("\n");
		print_rows(section->schema, SETTING_SUPPORTED);
	}
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (!count_with(section->schema, groups[i].status))
			continue;
		printf("\n### %s\n\n%s\n\n", groups[i].title, groups[i].meaning);
		print_rows(section->schema, groups[i].status);
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
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(preface); i++)
		printf("%s\n", preface[i]);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		print_section(&sections[i]);
	return ferror(stdout) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
