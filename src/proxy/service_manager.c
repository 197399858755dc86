#include "proxy/service_manager.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "proxy/control.h"
#include "proxy/shutdown.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

#define MESSAGE_MAX     1024
#define WATCHDOG_US_MIN 10000
#define WATCHDOG_US_MAX (UINT64_C(86400) * 1000000)

/* One worker is asked for a sign of life. */
struct ping {
	struct mailbox_message message;
	struct service_manager *manager;
};

struct service_manager {
	struct control *control;
	struct sockaddr_un address;
	socklen_t address_len; /* 0: there is nobody to tell */
	uint64_t watchdog_us;  /* 0: none */
	struct timer watchdog;
	struct ping *pings; /* of each worker; NULL: not asked yet */
	size_t waiting;     /* workers that have not answered */
};

/* ---- telling ---- */

static bool tells(const struct service_manager *m)
{
	return m->address_len > 0 && m->control->snapshot->config->operator.tells_systemd;
}

static void tell(struct service_manager *m, const char *format, ...) PRINTF_LIKE(2, 3);

static void tell(struct service_manager *m, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;
	int len;
	int fd;

	if (!tells(m))
		return;
	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1,
		   MSG_NOSIGNAL, (const struct sockaddr *)&m->address, m->address_len) < 0)
		log_message(m->control->log, LOG_WARN, "proxy",
			    "the service manager cannot be told how we are");
	(void)close(fd); /* a datagram is gone or not */
}

void service_manager_stopping(struct service_manager *m)
{
	tell(m, "STOPPING=1\nSTATUS=Shutting down: %llu tunnels are left",
	     (unsigned long long)shutdown_tunnels(m->control->life.shutdown));
}

static bool is_running(const struct service_manager *m)
{
	return shutdown_state(m->control->life.shutdown) == SHUTDOWN_RUNNING;
}

void service_manager_reloading(struct service_manager *m)
{
	if (!is_running(m))
		return;
	tell(m, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the configuration",
	     (unsigned long long)clock_now_us());
}

void service_manager_hand_over(struct service_manager *m, pid_t successor)
{
	timer_cancel(&m->watchdog);
	tell(m, "MAINPID=%ld\nREADY=1", (long)successor);
	m->address_len = 0;
}

/* ---- the watchdog ---- */

static void deliver_pong(struct mailbox_message *message)
{
	struct service_manager *m = container_of(message, struct ping, message)->manager;

	if (--m->waiting == 0)
		tell(m, "WATCHDOG=1");
}

static void deliver_ping(struct mailbox_message *message)
{
	struct ping *ping = container_of(message, struct ping, message);

	message->deliver = deliver_pong;
	mailbox_post(ping->manager->control->mailbox, message);
}

static void ask_workers(struct service_manager *m)
{
	struct control *c = m->control;

	if (!m->pings)
		m->pings = mem_alloc_array(c->worker_count, sizeof(*m->pings));
	m->waiting = c->worker_count;
	for (size_t i = 0; i < c->worker_count; i++) {
		m->pings[i].manager = m;
		m->pings[i].message.deliver = deliver_ping;
		mailbox_post(c->workers[i]->mailbox, &m->pings[i].message);
	}
}

/* Who has not answered until now is waited for, and nothing is told. */
static void on_watchdog(struct timer *timer)
{
	struct service_manager *m = container_of(timer, struct service_manager, watchdog);

	timer_start(&m->watchdog, m->control->loop,
		    loop_now_ms(m->control->loop) + m->watchdog_us / 2000, on_watchdog);
	if (m->waiting == 0)
		ask_workers(m);
}

void service_manager_ready(struct service_manager *m)
{
	struct control *c = m->control;
	char address[ADDR_TEXT_MAX];

	if (!is_running(m))
		return;
	addr_format(&c->address, address);
	tell(m, "READY=1\nSTATUS=Serving %zu routes at %s", c->snapshot->routes.count, address);
	if (m->watchdog_us > 0 && !timer_is_started(&m->watchdog))
		timer_start(&m->watchdog, c->loop, loop_now_ms(c->loop), on_watchdog);
}

/* ---- birth and death ---- */

/* "@name" is one in the abstract namespace. */
static void find_socket(struct service_manager *m)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(m->address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	m->address.sun_family = AF_UNIX;
	memcpy(m->address.sun_path, path, len);
	if (path[0] == '@')
		m->address.sun_path[0] = '\0';
	m->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static uint64_t number_in(const char *name)
{
	const char *value = getenv(name);
	uint64_t number = 0;

	return value && str_to_uint64(str_from(value), &number) ? number : 0;
}

static void find_watchdog(struct service_manager *m)
{
	uint64_t pid = number_in("WATCHDOG_PID");
	uint64_t us = number_in("WATCHDOG_USEC");

	if ((pid == 0 || pid == (uint64_t)getpid()) && us >= WATCHDOG_US_MIN &&
	    us <= WATCHDOG_US_MAX)
		m->watchdog_us = us;
}

struct service_manager *service_manager_new(struct control *control)
{
	struct service_manager *m = mem_alloc(sizeof(*m));

	m->control = control;
	find_socket(m);
	if (m->address_len > 0)
		find_watchdog(m);
	return m;
}

void service_manager_free(struct service_manager *m)
{
	if (!m)
		return;
	timer_cancel(&m->watchdog);
	mem_free(m->pings);
	mem_free(m);
}
