#include "http/fetch_private.h"

#include "base/mem.h"
#include "base/url.h"
#include "http/cache_control.h"
#include "http/http_chars.h"

/*
 * Everything curl points into belongs to the fetch and outlives the handle: it does not copy bodies, and its error text
 * is written into the fetch. The handle goes before on_done is called, so what is wanted of the response is copied out.
 */

#define CONNECT_TIMEOUT_MS 10000
#define USER_AGENT         "pomerium"

/* ---- the request ---- */

/* The text of url_parse() is left out: it may repeat a password. */
static int prepare_url(struct fetch *f, struct str text, struct err *e)
{
	struct fetch_env *env = &f->fetcher->env;
	struct url url;
	bool is_https;

	if (url_parse(text, &url, NULL))
		return err_set(e, ERR_PROTOCOL, "the URL of the request is not valid");
	is_https = str_equal_nocase(url.scheme, STR("https"));
	if (!is_https && !str_equal_nocase(url.scheme, STR("http")))
		return err_set(e, ERR_PROTOCOL, "%.*s: only https and http are supported, not %.*s",
			       STR_FMT(url.authority.text), STR_FMT(url.scheme));
	f->url = str_copy(text);
	f->host = str_copy(url.authority.text);
	f->proxy = is_https ? env->https_proxy : env->http_proxy;
	if (f->fetcher->unix_socket_path)
		f->proxy = "";
	return 0;
}

static int add_header(struct fetch *f, const struct http_header *header, struct err *e)
{
	struct buf line = BUF_INIT(FETCH_HEAD_MAX);
	struct curl_slist *longer;

	if (!http_is_token(header->name) || !http_is_text(header->value))
		return err_set(e, ERR_PROTOCOL, "%s: a header of the request is not valid",
			       f->host);
	/* curl takes "name:" for the wish to leave the header out */
	(void)buf_printf(&line, "%.*s%s%.*s", STR_FMT(header->name),
			 str_is_empty(header->value) ? ";" : ": ", STR_FMT(header->value));
	(void)buf_append_char(&line, '\0');
	if (line.is_overflown) {
		buf_done_secret(&line);
		return err_set(e, ERR_LIMIT, "%s: a header of the request exceeds %u bytes",
			       f->host, FETCH_HEAD_MAX);
	}
	longer = curl_slist_append(f->headers, (const char *)line.data);
	buf_done_secret(&line);
	if (!longer)
		abort();
	f->headers = longer;
	return 0;
}

/* What curl would add by itself. */
static void suppress_header(struct fetch *f, const char *name)
{
	struct curl_slist *longer = curl_slist_append(f->headers, name);

	if (!longer)
		abort();
	f->headers = longer;
}

static int prepare_headers(struct fetch *f, const struct fetch_request *request, struct err *e)
{
	const struct http_headers given = { request->headers, request->header_count };
	struct str value;

	for (size_t i = 0; i < given.count; i++) {
		if (add_header(f, &given.items[i], e))
			return -1;
	}
	suppress_header(f, "Expect:");
	if (!http_headers_get(&given, STR("content-type"), &value))
		suppress_header(f, "Content-Type:");
	return 0;
}

int fetch_easy_prepare(struct fetch *f, const struct fetch_request *request, struct err *e)
{
	if (prepare_url(f, request->url, e))
		return -1;
	if (!http_is_token(request->method))
		return err_set(e, ERR_PROTOCOL, "%s: the method of the request is not valid",
			       f->host);
	f->method = str_copy(request->method);
	f->request_body = str_of(str_copy(request->body), request->body.len);
	f->body = BUF_INIT(request->body_max);
	return prepare_headers(f, request, e);
}

/* ---- the handle ---- */

static size_t on_head(char *at, size_t size, size_t count, void *arg)
{
	struct fetch *f = arg;

	/* curl calls with the lines of a proxy's answer, of interim responses and trailers, too */
	f->head_len += size * count;
	return f->head_len <= FETCH_HEAD_MAX ? size * count : 0;
}

static size_t on_body(char *at, size_t size, size_t count, void *arg)
{
	struct fetch *f = arg;

	return buf_append(&f->body, at, size * count) ? 0 : size * count;
}

struct long_option {
	CURLoption option;
	long value;
};

static const struct long_option long_options[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	/* Or else giving up waits for the thread that asks for the name. */
	{ CURLOPT_QUICK_EXIT, 1 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_PATH_AS_IS, 1 },
	{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_PROXY_SSL_VERIFYPEER, 1 },
	{ CURLOPT_PROXY_SSL_VERIFYHOST, 2 },
	{ CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS },
};

static int set_authorities(CURL *easy, const struct fetch_env *env)
{
	struct curl_blob pem = {
		.data = env->ca_pem.data,
		.len = env->ca_pem.len,
		.flags = CURL_BLOB_COPY, /* others may come before this request has ended */
	};
	const char *file = pem.len > 0 ? NULL : env->ca_file;
	int failure = 0;

	failure |= curl_easy_setopt(easy, CURLOPT_CAPATH, env->ca_dir) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_CAINFO, file) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, env->ca_dir) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, file) != CURLE_OK;
	if (pem.len == 0)
		return failure;
	failure |= curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &pem) != CURLE_OK;
	return failure;
}

static int set_request(CURL *easy, const struct fetch *f)
{
	struct str method = str_from(f->method);
	int failure = 0;

	failure |= curl_easy_setopt(easy, CURLOPT_URL, f->url) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, f->headers) != CURLE_OK;
	if (str_equal(method, STR("POST")) || f->request_body.len > 0) {
		failure |= curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK;
		failure |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
					    (curl_off_t)f->request_body.len) != CURLE_OK;
		failure |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, f->request_body.at) !=
			   CURLE_OK;
	}
	if (!str_equal(method, STR("POST")) && !str_equal(method, STR("GET")))
		failure |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, f->method) != CURLE_OK;
	return failure;
}

static int set_surroundings(CURL *easy, struct fetch *f)
{
	const char *path = f->fetcher->unix_socket_path;
	int failure = set_authorities(easy, &f->fetcher->env);

	failure |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http") != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_PROXY, f->proxy) != CURLE_OK;
	if (path)
		failure |= curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, path) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_PRIVATE, f) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->detail) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, f) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
	failure |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, f) != CURLE_OK;
	return failure;
}

int fetch_easy_open(struct fetch *f, struct err *e)
{
	CURL *easy = curl_easy_init();
	int failure = 0;

	if (!easy)
		abort();
	for (size_t i = 0; i < ARRAY_LEN(long_options); i++)
		failure |= curl_easy_setopt(easy, long_options[i].option, long_options[i].value) !=
			   CURLE_OK;
	failure |= set_surroundings(easy, f);
	failure |= set_request(easy, f);
	if (failure) {
		curl_easy_cleanup(easy);
		return err_set(e, ERR_SYSTEM,
			       "%s: this libcurl lacks something that is needed for the request",
			       f->host);
	}
	f->easy = easy;
	return 0;
}

void fetch_easy_close(struct fetch *f)
{
	/* also without a transfer: it would tell the socket function, which has nothing left to tell */
	curl_easy_cleanup(f->easy);
	f->easy = NULL;
}

static void free_headers(struct curl_slist *headers)
{
	for (struct curl_slist *line = headers; line; line = line->next)
		mem_wipe(line->data, strlen(line->data));
	curl_slist_free_all(headers);
}

void fetch_easy_done(struct fetch *f)
{
	free_headers(TAKE(f->headers));
	mem_wipe((char *)(uintptr_t)f->request_body.at, f->request_body.len);
	mem_free((char *)(uintptr_t)f->request_body.at);
	f->request_body = (struct str){ 0 };
	mem_free_secret(TAKE(f->url));
	mem_free(TAKE(f->host));
	mem_free(TAKE(f->method));
	mem_free(TAKE(f->content_type));
	buf_done_secret(&f->body);
}

/* ---- the response ---- */

static void note_content_type(struct fetch *f)
{
	struct curl_header *header = NULL;
	struct str value;

	if (curl_easy_header(f->easy, "content-type", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return;
	value = str_from(header->value);
	f->content_type = str_copy(http_trim_blanks(str_first(value, str_find(value, ';'))));
}

static void note_max_age(struct fetch *f)
{
	struct curl_header *header = NULL;

	f->max_age_s = -1;
	for (size_t i = 0;
	     curl_easy_header(f->easy, "cache-control", i, CURLH_HEADER, -1, &header) == CURLHE_OK;
	     i++) {
		int64_t seconds = cache_control_max_age(str_from(header->value));

		if (seconds >= 0 && (f->max_age_s < 0 || seconds < f->max_age_s))
			f->max_age_s = seconds;
	}
}

void fetch_easy_finish(struct fetch *f, CURLcode code)
{
	long status = 0;

	if (code != CURLE_OK) {
		fetch_error_set(&f->error, f, code);
		return;
	}
	(void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	f->status = (int)status;
	note_content_type(f);
	note_max_age(f);
}
