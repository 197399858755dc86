/*
 * curl would look at the environment itself, for every request. Here it is done once and curl is told, so that an error can
 * name the proxy. Only NO_PROXY is left to curl. Unlike in curl, HTTP_PROXY counts in capitals too: that a request
 * header may become this variable is a danger for CGI programs only.
 *
 * Authorities are found as in tls/: in the directory of hashed names if there is one, since reading the whole bundle costs
 * tens of milliseconds. curl keeps a bundle it has read from a file, but not one given as text.
 */

#include "http/fetch_private.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define CA_PEM_MAX (16u << 20)

/* The first that is set to something. */
static const char *first_of(const char *const *names)
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		if (value && value[0])
			return value;
	}
	return NULL;
}

static void read_proxies(struct fetch_env *env)
{
	static const char *const http[] = { "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY",
					    NULL };
	static const char *const https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
					     NULL };

	env->http_proxy = str_copy(str_from(first_of(http)));
	env->https_proxy = str_copy(str_from(first_of(https)));
}

static void find_system_authorities(struct fetch_env *env)
{
	static const char *const dir_names[] = { "SSL_CERT_DIR", NULL };
	static const char *const file_names[] = { "SSL_CERT_FILE", NULL };
	const curl_version_info_data *built_in = curl_version_info(CURLVERSION_NOW);
	const char *dir = first_of(dir_names);
	const char *file = first_of(file_names);

	if (!dir && dir_is_hashed(built_in->capath))
		dir = built_in->capath;
	if (!dir && !file)
		file = built_in->cainfo;
	env->ca_dir = mem_copy_string(dir);
	env->ca_file = mem_copy_string(file);
}

static int gather_authorities(const struct fetch_env *env, struct str pem, struct buf *out,
			      struct err *e)
{
	int failure = 0;

	if (str_is_empty(pem))
		return 0;
	/* no authorities in the system is no error: only the extra ones are trusted then */
	if (env->ca_file && access(env->ca_file, F_OK) == 0 && file_read(env->ca_file, out, e))
		return err_wrap(e, "certificate authorities of the system");
	failure |= buf_append_char(out, '\n');
	failure |= buf_append_str(out, pem);
	return failure ? err_set(e, ERR_LIMIT, "the certificate authorities exceed %u bytes",
				 CA_PEM_MAX)
		       : 0;
}

int fetch_env_set_authorities(struct fetch_env *env, struct str extra_ca_pem, struct err *e)
{
	struct buf gathered = BUF_INIT(CA_PEM_MAX);

	if (gather_authorities(env, extra_ca_pem, &gathered, e) < 0) {
		buf_done(&gathered);
		return -1;
	}
	buf_done(&env->ca_pem);
	env->ca_pem = gathered;
	return 0;
}

int fetch_env_read(struct fetch_env *env, const struct fetcher_options *options, struct err *e)
{
	read_proxies(env);
	find_system_authorities(env);
	return fetch_env_set_authorities(env, options->extra_ca_pem, e);
}

void fetch_env_done(struct fetch_env *env)
{
	mem_free_secretp(&env->http_proxy);
	mem_free_secretp(&env->https_proxy);
	mem_freep(&env->ca_dir);
	mem_freep(&env->ca_file);
	buf_done(&env->ca_pem);
}

struct str fetch_proxy_name(const char *proxy)
{
	struct str name = str_from(proxy);
	size_t scheme = str_find(name, ':');
	size_t at;

	if (str_starts_with(str_from_pos(name, scheme), STR("://")))
		name = str_from_pos(name, scheme + 3);
	/* before anything else is looked for: a password may hold every character */
	at = str_find_last(name, '@');
	if (at < name.len)
		name = str_from_pos(name, at + 1);
	return str_first(name, str_find(name, '/'));
}
