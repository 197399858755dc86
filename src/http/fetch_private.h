#pragma once

/*
 * fetch_private.h - the inside of outgoing requests, for the fetch*.c files only
 *
 * fetch.c has the life of a fetch, fetch_easy.c its translation to and from a curl handle, fetch_env.c what the environment
 * says about proxies and authorities, fetch_error.c the sentences.
 */

#include <stdbool.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/fetch.h"
#include "io/loop.h"

/* Of the environment, as it was when the fetcher was made. */
struct fetch_env {
	char *http_proxy; /* URL, may have a password; "": none */
	char *https_proxy;
	char *ca_dir;      /* certificates by hash, or NULL */
	char *ca_file;     /* or NULL */
	struct buf ca_pem; /* instead of ca_file, when there are extra authorities */
};

int fetch_env_read(struct fetch_env *env, const struct fetcher_options *options, struct err *e);
int fetch_env_set_authorities(struct fetch_env *env, struct str extra_ca_pem, struct err *e);
void fetch_env_done(struct fetch_env *env);

/* "proxy.example.com:3128": a view without scheme, user and password. */
struct str fetch_proxy_name(const char *proxy);

enum fetch_state {
	FETCH_WAITING, /* for one of FETCHES_MAX */
	FETCH_ACTIVE,  /* curl has it: easy is set */
	FETCH_OVER,    /* on_done comes at the end of the turn */
	FETCH_GONE,    /* on_done is being called, or it was cancelled; in no list */
};

struct fetcher {
	struct loop *loop;
	CURLM *multi;
	struct timer timer; /* curl's */
	struct later later;
	struct list fetches[FETCH_GONE]; /* by state */
	size_t counts[FETCH_GONE];
	struct fetch_env env;
	char *unix_socket_path;
};

struct fetch {
	struct list_node node;
	struct fetcher *fetcher;
	enum fetch_state state;
	struct timer deadline;
	uint64_t timeout_ms;
	void (*on_done)(void *arg, const struct fetch_response *response, const struct err *e);
	void *arg;

	char *method;
	char *url;
	char *host;
	const char *proxy; /* of the fetcher's env */
	struct curl_slist *headers;
	struct str request_body; /* owned */

	CURL *easy;
	char detail[CURL_ERROR_SIZE];
	size_t head_len;
	int status;
	int64_t max_age_s;
	char *content_type;
	struct buf body;
	struct err error; /* ERR_NONE: it succeeded */
};

/* Copies and checks. On failure the fetch is good for fetch_easy_done() only. */
int fetch_easy_prepare(struct fetch *f, const struct fetch_request *request, struct err *e);

/* Makes the curl handle. */
int fetch_easy_open(struct fetch *f, struct err *e);

/* Notes the response, or why there is none. */
void fetch_easy_finish(struct fetch *f, CURLcode code);

/* Not while curl has the handle. */
void fetch_easy_close(struct fetch *f);
void fetch_easy_done(struct fetch *f);

/* Why curl gave up. */
void fetch_error_set(struct err *e, const struct fetch *f, CURLcode code);

/* The deadline has come. */
void fetch_error_set_timeout(struct err *e, const struct fetch *f);
