/* What an issuer says of whoever holds its token, once the signature is known to be its own: is the
 * token for us and good now, and which of an operator's rules does it fit? Pure. */
#ifndef ACCESS_CLAIMS_H
#define ACCESS_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define CLAIMS_PINS 8
#define CLAIMS_NAME 64
#define CLAIMS_VALUE 256
#define CLAIMS_SKEW_S 60	  /* how far two clocks may be apart */
#define CLAIMS_LIFE_S (24 * 3600) /* no CI system needs a token for longer */

struct claims_pin { /* the claim must be there and fit; * in the value stands for any characters */
	char claim[CLAIMS_NAME], value[CLAIMS_VALUE];
};

/* Exact issuer; an audience that is ours, or a list with it; exp not over, nbf and iat not in the
 * future, by CLAIMS_SKEW_S; exp at most CLAIMS_LIFE_S after now. */
must_check int claims_check(
    const json_t *claims, const char *issuer, const char *audience, int64_t now_s, struct err *why);
int64_t claims_expiry_s(const json_t *claims);

/* Texts, numbers and booleans are compared as text. A pipeline for a pull or merge request runs
 * what anybody has proposed, so it fits no rule that does not ask for such by name (event_name of
 * GitHub, pipeline_source of GitLab). why: of the first that does not fit. */
bool claims_fit(const json_t *claims, const struct claims_pin *pins, int count, struct err *why);
/* A rule that names no repository, project or subject without a star lets in everybody who has an
 * account with the issuer. NULL: good; or what is wrong. */
const char *claims_pins_wrong(const struct claims_pin *pins, int count);

#endif
