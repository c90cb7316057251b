/* A key set and a token, a line each, as strangers may send them: nothing of it is good by chance,
 * and what is refused has a text that can be shown. base64url has one text for each value. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "access/claims.h"
#include "access/jwks.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the only key that can have signed: the standard's example, in the corpus. */
static const char signature[] = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApm"
				"WQxfKTUJqPP3-Kg6NU1Q";

static void
check_claims(const json_t *claims)
{
	const struct claims_pin pins[] = {{"iss", "j*"}, {"exp", "1300819380"}, {"sub", "*"}};
	struct err why = {.text = ""};
	if (claims_check(claims, "joe", "airis", 1300819380, &why) == 0)
		assert(claims_expiry_s(claims) > 0);
	else
		assert(why.text[0] != '\0');
	(void)claims_fit(claims, pins, 3, &why);
	assert(!claims_fit(claims, pins, 0, &why));
}

static void
check_token(const struct jwks *keys, const char *text)
{
	struct err why = {.text = ""};
	struct jwt jwt;
	if (jwt_parse(text, &jwt, &why) == 0) {
		assert(json_is_object(jwt.claims) && jwt.signature_length > 0);
		if (keys != NULL && jwks_verify(keys, &jwt, &why) == JWKS_GOOD)
			assert(strstr(text, signature) != NULL);
		check_claims(jwt.claims);
	} else {
		assert(why.text[0] != '\0');
	}
	jwt_done(&jwt);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	struct err why;
	if (line == NULL)
		return 0;
	struct jwks *keys = jwks_parse((const char *)data, (size_t)(line - data), &why);
	assert(keys == NULL || jwks_count(keys) > 0);
	char *text = mem_strndup((const char *)line + 1, size - (size_t)(line - data) - 1);
	check_token(keys, text);
	free(text);
	jwks_free(keys);
	return 0;
}
