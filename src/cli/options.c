/*
 * The table gives each flag its group and the place of its value in struct options. A flag without value_name is a
 * yes or no; it takes a value only in the form --name=true.
 */

#include "cli/options.h"

#include <string.h>

#include "base/compiler.h"
#include "base/str.h"

struct option_row {
	unsigned groups; /* enum option_group, or-ed */
	const char *name;
	const char *value_name; /* NULL: yes or no */
	size_t offset;
	bool is_list; /* an array of OPTIONS_LIST_MAX values; may be repeated */
	const char *help;
};

#define OPTION_TEXT(g, n, v, field, h)                                                             \
	{                                                                                          \
		.groups = (g), .name = (n), .value_name = (v),                                     \
		.offset = offsetof(struct options, field), .help = (h)                             \
	}
#define OPTION_FLAG(g, n, field, h) OPTION_TEXT(g, n, NULL, field, h)
#define OPTION_LIST(g, n, v, field, h)                                                             \
	{                                                                                          \
		.groups = (g), .name = (n), .value_name = (v),                                     \
		.offset = offsetof(struct options, field), .is_list = true, .help = (h)            \
	}
#define GROUPS_TO_GATEWAY (OPTION_GROUP_TUNNEL | OPTION_GROUP_SEVERAL | OPTION_GROUP_PROXY)

static const struct option_row rows[] = {
	OPTION_TEXT(OPTION_GROUP_TUNNEL, "listen", "ADDRESS", listen,
		    "local address: host:port, :port for every interface, unix:/path for a socket "
		    "of this user alone, or - for standard input and output (default 127.0.0.1:0)"),
	OPTION_TEXT(OPTION_GROUP_UDP, "listen", "ADDRESS", listen,
		    "local address: host:port, or :port for every interface (default 127.0.0.1:0)"),
	OPTION_TEXT(
		OPTION_GROUP_UDP, "idle-timeout", "SECONDS", idle_timeout,
		"end the session of a local address after that long without packets (default 300)"),
	OPTION_TEXT(OPTION_GROUP_UDP, "pomerium-url", "URL", pomerium_url,
		    "the gateway to connect to, if it is not named by the destination"),
	OPTION_FLAG(OPTION_GROUP_SEVERAL, "all", all, "open every route that can be opened"),
	OPTION_TEXT(OPTION_GROUP_PROXY, "listen", "ADDRESS", listen,
		    "local address: host:port, or :port for every interface (default "
		    "127.0.0.1:3128)"),
	OPTION_LIST(OPTION_GROUP_PROXY, "proxy-domain", "DOMAIN", proxy_domains,
		    "names that end like this go through the gateway, all others do not; may be "
		    "repeated"),
	OPTION_FLAG(OPTION_GROUP_JSON, "json", json, "print JSON"),
	OPTION_TEXT(GROUPS_TO_GATEWAY | OPTION_GROUP_GATEWAY, "pomerium-url", "URL", pomerium_url,
		    "the gateway to connect to, if it is not named by the destination"),
	OPTION_TEXT(
		GROUPS_TO_GATEWAY, "transport", "HOW", transport,
		"how tunnels are carried: h2 (all over one connection), h1 (each over its own), ws (each "
		"over a WebSocket, where nothing else passes), or auto (default: what the gateway offers)"),
	OPTION_FLAG(OPTION_GROUP_TLS, "disable-tls-verification", disable_tls_verification,
		    "do not check the gateway's certificate"),
	OPTION_TEXT(OPTION_GROUP_TLS, "alternate-ca-path", "FILE", alternate_ca_path,
		    "PEM file with certificates to trust besides those of the system"),
	OPTION_TEXT(OPTION_GROUP_TLS, "ca-cert", "BASE64", ca_cert,
		    "the same as base64 text of the PEM file"),
	OPTION_TEXT(OPTION_GROUP_TLS, "client-cert", "FILE", client_cert,
		    "PEM file with a client certificate, or the pkcs11: URI of one on a token"),
	OPTION_TEXT(OPTION_GROUP_TLS, "client-key", "FILE", client_key,
		    "PEM file with the client certificate's key, or a pkcs11: URI"),
	OPTION_TEXT(OPTION_GROUP_TLS, "proxy", "URL", proxy,
		    "proxy to the gateway (http, https, socks5 or socks5h), or none; default: "
		    "HTTPS_PROXY, ALL_PROXY and NO_PROXY"),
	OPTION_TEXT(OPTION_GROUP_BROWSER, "browser-cmd", "PROGRAM", browser_cmd,
		    "program to open the sign-in address with; the address is its only argument"),
	OPTION_FLAG(OPTION_GROUP_BROWSER, "no-browser", no_browser,
		    "open no browser: show an address for one on any machine"),
	OPTION_TEXT(OPTION_GROUP_SERVICE_ACCOUNT, "service-account", "TOKEN", service_account,
		    "token of a service account, used instead of a login"),
	OPTION_TEXT(OPTION_GROUP_SERVICE_ACCOUNT, "service-account-file", "FILE",
		    service_account_file, "file with that token"),
};

static const struct option_row *find_row(unsigned groups, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].groups & groups) && str_equal(str_from(rows[i].name), name))
			return &rows[i];
	return NULL;
}

static int set_flag(bool *flag, const struct option_row *row, const char *value, struct err *e)
{
	struct str text = str_from(value);

	if (!value || str_equal(text, STR("true")) || str_equal(text, STR("1"))) {
		*flag = true;
		return 0;
	}
	if (str_equal(text, STR("false")) || str_equal(text, STR("0"))) {
		*flag = false;
		return 0;
	}
	return err_set(e, ERR_CONFIG, "--%s is either true or false", row->name);
}

static int set_text(const char **place, const struct option_row *row, const char *value,
		    struct err *e)
{
	size_t count = 0;

	while (row->is_list && place[count])
		if (++count == OPTIONS_LIST_MAX)
			return err_set(e, ERR_CONFIG, "too many --%s", row->name);
	place[count] = value;
	return 0;
}

static int unknown_flag(unsigned groups, struct str name, bool has_one_dash, struct err *e)
{
	if (has_one_dash && find_row(groups, name))
		return err_set(e, ERR_CONFIG, "unknown flag -%.*s; did you mean --%.*s?",
			       STR_FMT(name), STR_FMT(name));
	return err_set(e, ERR_CONFIG, "unknown flag %s%.*s", has_one_dash ? "-" : "--",
		       STR_FMT(name));
}

struct scan {
	unsigned groups;
	int argc;
	char *const *argv;
	int next;
};

/* argv[next] begins with a dash and is not "-" or "--". */
static int take_flag(struct scan *scan, struct options *out, struct err *e)
{
	const char *text = scan->argv[scan->next++];
	bool has_one_dash = text[1] != '-';
	struct str rest = str_from(text + (has_one_dash ? 1 : 2));
	const char *equals = strchr(text, '=');
	const char *value = equals ? equals + 1 : NULL;
	struct str name = str_first(rest, str_find(rest, '='));
	const struct option_row *row = has_one_dash ? NULL : find_row(scan->groups, name);

	if (!value && (str_equal(name, STR("help")) || strcmp(text, "-h") == 0)) {
		out->wants_help = true;
		return 0;
	}
	if (!row)
		return unknown_flag(scan->groups, name, has_one_dash, e);
	if (!row->value_name)
		return set_flag((bool *)((char *)out + row->offset), row, value, e);
	if (!value && scan->next == scan->argc)
		return err_set(e, ERR_CONFIG, "--%s needs a value", row->name);
	return set_text((const char **)((char *)out + row->offset), row,
			value ? value : scan->argv[scan->next++], e);
}

static int take_argument(struct options *out, const char *text, struct err *e)
{
	if (out->argument_count == OPTIONS_ARGUMENTS_MAX)
		return err_set(e, ERR_CONFIG, "too many arguments");
	out->arguments[out->argument_count++] = text;
	return 0;
}

int options_parse(unsigned groups, int argc, char *const *argv, struct options *ret, struct err *e)
{
	struct scan scan = { .groups = groups, .argc = argc, .argv = argv };
	struct options out = { 0 };
	bool has_ended = false;

	while (scan.next < argc && !out.wants_help) {
		const char *text = argv[scan.next];
		bool is_flag = !has_ended && text[0] == '-' && text[1] != '\0';

		if (is_flag && strcmp(text, "--") == 0) {
			has_ended = true;
			scan.next++;
			continue;
		}
		if (is_flag) {
			if (take_flag(&scan, &out, e) < 0)
				return -1;
			continue;
		}
		if (take_argument(&out, text, e) < 0)
			return -1;
		scan.next++;
	}
	*ret = out;
	return 0;
}

bool options_next(unsigned groups, size_t *position, struct option_text *ret)
{
	while (*position < ARRAY_LEN(rows)) {
		const struct option_row *row = &rows[(*position)++];

		if (!(row->groups & groups))
			continue;
		*ret = (struct option_text){ .name = row->name,
					     .value_name = row->value_name,
					     .help = row->help };
		return true;
	}
	return false;
}

#define HELP_COLUMN 32

void options_print_help(unsigned groups, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct option_row *row = &rows[i];
		const char *value = row->value_name ? row->value_name : "";
		int width;

		if (!(row->groups & groups))
			continue;
		width = fprintf(out, "  --%s%s%s", row->name, *value ? " " : "", value);
		if (width >= HELP_COLUMN - 1)
			width = (fputc('\n', out), 0);
		fprintf(out, "%*s%s\n", HELP_COLUMN - width, "", row->help);
	}
	fprintf(out, "  -h, --help%*s%s\n", HELP_COLUMN - 12, "", "show this help");
}
