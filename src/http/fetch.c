/*
 * curl says which descriptors it waits for and when it wants to be called; poll_fd and one timer do that. A fetch is
 * always in the list of its state, and moves in one function. curl never calls anybody but this module: what it has
 * finished is collected behind each call into it, and told at the end of the turn, so that on_done may do whatever
 * it likes, freeing the fetcher included.
 *
 * The deadline is not curl's: it runs while the fetch waits for its turn, too.
 */

#include "http/fetch.h"

#include <assert.h>

#include "base/mem.h"
#include "http/fetch_private.h"
#include "io/poll_fd.h"

#define MULTI_OPTION(multi, option, value) (curl_multi_setopt(multi, option, value) != CURLM_OK)

/* ---- states ---- */

/* Waiting, active, over, gone: some are skipped, none is entered twice. Whatever curl knows of it ends with the state. */
static void enter(struct fetch *f, enum fetch_state state)
{
	struct fetcher *fetcher = f->fetcher;

	assert(state > f->state);
	if (f->easy) {
		(void)curl_multi_remove_handle(fetcher->multi, f->easy); /* it is in there */
		fetch_easy_close(f);
	}
	list_remove(&f->node);
	fetcher->counts[f->state]--;
	f->state = state;
	if (state > FETCH_ACTIVE)
		timer_cancel(&f->deadline);
	if (state == FETCH_GONE)
		return;
	list_append(&fetcher->fetches[state], &f->node);
	fetcher->counts[state]++;
}

static void release(struct fetch *f)
{
	fetch_easy_done(f);
	loop_free_later(f->fetcher->loop, f);
}

static void run(struct later *later);

/* For what is over, and for those that wait for a place. */
static void run_later(struct fetcher *fetcher)
{
	later_start(&fetcher->later, fetcher->loop, run);
}

static void end(struct fetch *f)
{
	enter(f, FETCH_OVER);
	run_later(f->fetcher);
}

static void on_deadline(struct timer *timer)
{
	struct fetch *f = container_of(timer, struct fetch, deadline);

	fetch_error_set_timeout(&f->error, f);
	end(f);
}

static void activate(struct fetch *f)
{
	enter(f, FETCH_ACTIVE);
	if (fetch_easy_open(f, &f->error)) {
		end(f);
		return;
	}
	if (curl_multi_add_handle(f->fetcher->multi, f->easy) == CURLM_OK)
		return;
	(void)err_set(&f->error, ERR_SYSTEM, "%s: libcurl does not take the request", f->host);
	end(f);
}

static void deliver(struct fetch *f)
{
	const struct fetch_response response = {
		.status = f->status,
		.content_type = str_from(f->content_type),
		.max_age_s = f->max_age_s,
		.body = buf_view(&f->body),
	};

	enter(f, FETCH_GONE);
	if (f->error.kind == ERR_NONE)
		f->on_done(f->arg, &response, NULL);
	else
		f->on_done(f->arg, NULL, &f->error);
	release(f);
}

static struct fetch *first_in(const struct fetcher *fetcher, enum fetch_state state)
{
	struct list_node *node = list_first(&fetcher->fetches[state]);

	return node ? container_of(node, struct fetch, node) : NULL;
}

static void run(struct later *later)
{
	struct fetcher *fetcher = container_of(later, struct fetcher, later);
	struct fetch *f = NULL;

	/* No more than there are now: a callback that starts what fails at once must not keep this going. One that
	 * frees the fetcher leaves empty lists. */
	for (size_t count = fetcher->counts[FETCH_OVER]; count > 0; count--) {
		f = first_in(fetcher, FETCH_OVER);
		if (!f)
			break;
		deliver(f);
	}
	while (fetcher->counts[FETCH_ACTIVE] < FETCHES_MAX &&
	       (f = first_in(fetcher, FETCH_WAITING)) != NULL)
		activate(f);
}

/* ---- curl's calls, and calls to curl ---- */

static void collect(struct fetcher *fetcher)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
		char *f = NULL;

		assert(message->msg == CURLMSG_DONE);
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &f);
		fetch_easy_finish((struct fetch *)(void *)f, message->data.result);
		end((struct fetch *)(void *)f);
	}
}

static void call_curl(struct fetcher *fetcher, curl_socket_t fd, int events)
{
	int running;

	/* What goes wrong with a transfer is told of that transfer. */
	(void)curl_multi_socket_action(fetcher->multi, fd, events, &running);
	collect(fetcher);
}

static void on_timer(struct timer *timer)
{
	call_curl(container_of(timer, struct fetcher, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct fetcher *fetcher = arg;

	if (timeout_ms < 0)
		timer_cancel(&fetcher->timer);
	else
		timer_start(&fetcher->timer, fetcher->loop,
			    loop_now_ms(fetcher->loop) + (uint64_t)timeout_ms, on_timer);
	return 0;
}

/* A descriptor that curl has us watch. */
struct fetch_socket {
	struct fetcher *fetcher;
	struct poll_fd *poll;
	curl_socket_t fd;
};

static void on_ready(void *arg, unsigned events)
{
	const struct fetch_socket *s = arg;

	call_curl(s->fetcher, s->fd,
		  (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
			  (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static struct fetch_socket *open_socket(struct fetcher *fetcher, curl_socket_t fd)
{
	struct fetch_socket *s = mem_alloc(sizeof(*s));

	s->fetcher = fetcher;
	s->fd = fd;
	s->poll = poll_fd_open(fetcher->loop, fd, on_ready, s, NULL);
	if (s->poll && curl_multi_assign(fetcher->multi, fd, s) == CURLM_OK)
		return s;
	poll_fd_close(s->poll);
	mem_free(s);
	return NULL;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct fetcher *fetcher = arg;
	struct fetch_socket *s = assigned;

	if (what == CURL_POLL_REMOVE) {
		if (!s)
			return 0;
		poll_fd_close(TAKE(s->poll));
		/* its on_ready may be on the stack */
		loop_free_later(fetcher->loop, s);
		return 0;
	}
	if (!s)
		s = open_socket(fetcher, fd);
	if (!s)
		return -1;
	poll_fd_want(s->poll, (what & CURL_POLL_IN ? WATCH_READ : 0) |
				      (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
	return 0;
}

/* ---- the fetcher ---- */

static int open_multi(struct fetcher *fetcher, struct err *e)
{
	CURLM *multi = curl_multi_init();
	bool failed = false;

	if (!multi)
		abort();
	fetcher->multi = multi;
	failed |= MULTI_OPTION(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	failed |= MULTI_OPTION(multi, CURLMOPT_SOCKETDATA, fetcher);
	failed |= MULTI_OPTION(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	failed |= MULTI_OPTION(multi, CURLMOPT_TIMERDATA, fetcher);
	failed |= MULTI_OPTION(multi, CURLMOPT_MAXCONNECTS, (long)FETCHES_MAX);
	return failed ? err_set(e, ERR_SYSTEM, "this libcurl cannot be driven by events") : 0;
}

/* A request to a name must not stop the loop, and one to a provider must not go unencrypted. */
static int check_curl(struct err *e)
{
	const curl_version_info_data *built_in = curl_version_info(CURLVERSION_NOW);

	if (!(built_in->features & CURL_VERSION_ASYNCHDNS))
		return err_set(e, ERR_SYSTEM, "this libcurl would stop to look up names");
	if (!(built_in->features & CURL_VERSION_SSL))
		return err_set(e, ERR_SYSTEM, "this libcurl has no TLS");
	return 0;
}

struct fetcher *fetcher_new(struct loop *loop, const struct fetcher_options *options, struct err *e)
{
	struct fetcher *fetcher = mem_alloc(sizeof(*fetcher));

	/* counted, one curl_global_cleanup() each */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	fetcher->loop = loop;
	for (size_t i = 0; i < ARRAY_LEN(fetcher->fetches); i++)
		list_init(&fetcher->fetches[i]);
	fetcher->unix_socket_path = mem_copy_string(options->unix_socket_path);
	if (check_curl(e) == 0 && open_multi(fetcher, e) == 0 &&
	    fetch_env_read(&fetcher->env, options, e) == 0)
		return fetcher;
	(void)err_wrap(e, "outgoing requests");
	fetcher_free(fetcher);
	return NULL;
}

int fetcher_set_authorities(struct fetcher *fetcher, struct str extra_ca_pem, struct err *e)
{
	return fetch_env_set_authorities(&fetcher->env, extra_ca_pem, e);
}

void fetcher_free(struct fetcher *fetcher)
{
	struct fetch *f = NULL;

	if (!fetcher)
		return;
	for (enum fetch_state state = FETCH_WAITING; state < FETCH_GONE; state++) {
		while ((f = first_in(fetcher, state)) != NULL)
			fetch_cancel(f);
	}
	if (fetcher->multi)
		(void)curl_multi_cleanup(TAKE(fetcher->multi)); /* it is empty */
	curl_global_cleanup();
	timer_cancel(&fetcher->timer);
	later_cancel(&fetcher->later);
	fetch_env_done(&fetcher->env);
	mem_free(TAKE(fetcher->unix_socket_path));
	/* it may be that run() is on the stack */
	loop_free_later(fetcher->loop, fetcher);
}

/* ---- a fetch ---- */

static int check_room(const struct fetch *f, struct err *e)
{
	if (f->fetcher->counts[FETCH_WAITING] <= FETCHES_WAITING_MAX)
		return 0;
	return err_set(e, ERR_LIMIT, "%s: not asked: %d other requests are waiting", f->host,
		       FETCHES_WAITING_MAX);
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
			  void (*on_done)(void *arg, const struct fetch_response *response,
					  const struct err *e),
			  void *arg)
{
	struct fetch *f = mem_alloc(sizeof(*f));

	f->fetcher = fetcher;
	f->on_done = on_done;
	f->arg = arg;
	f->timeout_ms = request->timeout_ms;
	list_append(&fetcher->fetches[FETCH_WAITING], &f->node);
	fetcher->counts[FETCH_WAITING]++;
	run_later(fetcher);
	if (fetch_easy_prepare(f, request, &f->error) || check_room(f, &f->error)) {
		end(f);
		return f;
	}
	timer_start(&f->deadline, fetcher->loop, loop_now_ms(fetcher->loop) + request->timeout_ms,
		    on_deadline);
	return f;
}

void fetch_cancel(struct fetch *f)
{
	if (!f || f->state == FETCH_GONE)
		return;
	enter(f, FETCH_GONE);
	/* its place may be wanted */
	run_later(f->fetcher);
	release(f);
}
