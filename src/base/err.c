/*
 * err.c - texts are formatted aside and then moved in, so that an argument may be the old text
 * itself
 */

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERR_SEPARATOR ": "

static size_t shorter(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Formats into out and returns the length of what is there; what does not fit is cut. */
static size_t format_text(char out[ERR_TEXT_MAX], const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static size_t format_text(char out[ERR_TEXT_MAX], const char *format, va_list args)
{
	int len = vsnprintf(out, ERR_TEXT_MAX, format, args);

	if (len < 0) {
		out[0] = '\0';
		return 0;
	}
	return shorter((size_t)len, ERR_TEXT_MAX - 1);
}

static enum err_kind kind_of_errno(int errnum)
{
	switch (errnum) {
	case ECONNREFUSED:
		return ERR_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return ERR_RESET;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return ERR_UNREACHABLE;
	case EMFILE:
	case ENFILE:
		return ERR_LIMIT;
	default:
		return ERR_SYSTEM;
	}
}

int err_set(struct err *e, enum err_kind kind, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (!e)
		return -1;
	va_start(args, format);
	size_t len = format_text(text, format, args);
	va_end(args);
	e->kind = kind;
	memcpy(e->text, text, len + 1);
	return -1;
}

static void append_text(char text[ERR_TEXT_MAX], size_t *len, const char *more)
{
	size_t more_len = shorter(strlen(more), ERR_TEXT_MAX - 1 - *len);

	memcpy(text + *len, more, more_len);
	*len += more_len;
	text[*len] = '\0';
}

int err_errno(struct err *e, int errnum, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	char number[32];
	va_list args;

	if (!e)
		return -1;
	va_start(args, format);
	size_t len = format_text(text, format, args);
	va_end(args);
	const char *description = strerrordesc_np(errnum);
	if (!description) {
		(void)snprintf(number, sizeof(number), "error %d", errnum);
		description = number;
	}
	append_text(text, &len, ERR_SEPARATOR);
	append_text(text, &len, description);
	e->kind = kind_of_errno(errnum);
	memcpy(e->text, text, len + 1);
	return -1;
}

int err_wrap(struct err *e, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (!e)
		return -1;
	va_start(args, format);
	size_t len = format_text(text, format, args);
	va_end(args);
	append_text(text, &len, ERR_SEPARATOR);
	append_text(text, &len, e->text);
	memcpy(e->text, text, len + 1);
	return -1;
}

const char *err_kind_name(enum err_kind kind)
{
	switch (kind) {
	case ERR_NONE:
		return "none";
	case ERR_SYSTEM:
		return "system";
	case ERR_CONFIG:
		return "config";
	case ERR_PROTOCOL:
		return "protocol";
	case ERR_LIMIT:
		return "limit";
	case ERR_CRYPTO:
		return "crypto";
	case ERR_UNTRUSTED:
		return "untrusted";
	case ERR_TLS:
		return "tls";
	case ERR_TIMEOUT:
		return "timeout";
	case ERR_DNS:
		return "dns";
	case ERR_REFUSED:
		return "refused";
	case ERR_UNREACHABLE:
		return "unreachable";
	case ERR_RESET:
		return "reset";
	case ERR_CLOSED:
		return "closed";
	}
	return "unknown";
}
