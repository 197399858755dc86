#pragma once

/*
 * names.h - texts that are one of a few words, and what else is checked of more than one setting
 *
 * Private to the module. Problems go to the loader's report.
 */

#include "base/url.h"
#include "config/config.h"
#include "config/loader.h"
#include "config/value.h"

/*
 * The index of an enum's value (configuration.md 1.1): its full name in any case, or what is behind one of the '_' in it,
 * the first that fits. count if there is none.
 */
size_t name_find(const char *const *names, size_t count, struct str text);

/* RFC 9110 token: names of cookies and headers. */
bool is_token(struct str text);

/* Blanks and control characters. */
bool has_blanks(struct str text);

enum url_need {
	URL_WEB,    /* http or https */
	URL_KEYS,   /* https, or http on this machine */
	URL_ISSUER, /* the same, without query and fragment */
};

/* -1: reported, without what may be a password in it. */
int url_check(struct loader *l, const struct value_path *path, const struct text_value *value,
	      enum url_need need, struct url *ret);

/* bearer_token_format; unset and what is wrong are the default. */
enum config_bearer bearer_read(struct loader *l, const struct value_path *path,
			       const struct text_value *value);

struct words {
	const char *const *names; /* a NULL in between is a number that stands for nothing */
	size_t count;
};

/* An enum's index. False if it is unset; or if it is none of the words, which is reported with all of them. */
bool word_read(struct loader *l, const struct value_path *path, const struct text_value *value,
	       const struct words *words, size_t *ret);

/* A listener's address, for which the port must be known beforehand. False: unset, or reported. */
bool address_read(struct loader *l, const struct value_path *path, const struct text_value *value,
		  struct addr *ret);

/* Milliseconds; what is unset or wrong is the other value. 0 is a value. */
uint64_t milliseconds_read(struct loader *l, const struct value_path *path,
			   const struct duration_value *value, uint64_t otherwise);

/* At least 1; UINT64_MAX if it is unset or wrong. */
uint64_t limit_read(struct loader *l, const struct value_path *path,
		    const struct number_value *value);

/* At most the maximum; what is unset or wrong is the other value. */
uint32_t number_read(struct loader *l, const struct value_path *path,
		     const struct number_value *value, uint32_t max, uint32_t otherwise);

/* tunnel_reauthorization: whether tunnels are asked again. */
bool reauthorization_read(struct loader *l, const struct value_path *path,
			  const struct text_value *value, bool otherwise);
