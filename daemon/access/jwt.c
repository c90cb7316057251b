/* Taking a token apart. Nothing of it is looked at twice: what was refused here never gets to a
 * key.
 */
#include "access/jwt.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"

static const char *const names[] = {[JWT_RS256] = "RS256", [JWT_ES256] = "ES256"};

const char *
jwt_algorithm_name(enum jwt_algorithm algorithm)
{
	return names[algorithm];
}

static int
digit64(char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *at = c == '\0' ? NULL : strchr(digits, c);
	return at == NULL ? -1 : (int)(at - digits);
}

long
jwt_decode64(const char *text, size_t length, unsigned char *to, size_t room)
{
	unsigned bits = 0;
	int held = 0;
	size_t count = 0;
	for (size_t i = 0; i < length; i++) {
		int digit = digit64(text[i]);
		if (digit < 0)
			return -1;
		bits = (bits << 6 | (unsigned)digit) & 0xfff;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (count == room)
			return -1;
		to[count++] = (unsigned char)(bits >> held);
	}
	bool whole = held < 6 && (bits & ((1u << held) - 1)) == 0;
	return whole ? (long)count : -1;
}

static json_t *
read_part(const char *text, size_t length, const char *what, struct err *why)
{
	unsigned char *bytes = mem_alloc(length + 1);
	long count = jwt_decode64(text, length, bytes, length);
	json_t *json = NULL;
	if (count < 0)
		err_set(why, "the %s is not in base64url", what);
	else if ((json = jsonx_parse((char *)bytes, (size_t)count, JWT_MAX, why)) == NULL)
		err_wrap(why, "the %s", what);
	else if (!json_is_object(json))
		err_set(why, "the %s is not a JSON object", what);
	free(bytes);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static int
read_algorithm(const json_t *header, struct jwt *jwt, struct err *why)
{
	const char *name = jsonx_text_or(header, "alg", "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			jwt->algorithm = (enum jwt_algorithm)i;
			return 0;
		}
	return err_set(why, "it is signed with \"%.16s\"; allowed: RS256, ES256", name);
}

static int
read_header(const char *text, size_t length, struct jwt *jwt, struct err *why)
{
	json_t *header = read_part(text, length, "token's header", why);
	if (header == NULL)
		return -1;
	int result = read_algorithm(header, jwt, why);
	const json_t *kid = json_object_get(header, "kid");
	if (result == 0 && json_object_get(header, "crit") != NULL)
		result = err_set(why, "it has critical extensions (crit), and none is known here");
	if (result == 0 && kid != NULL &&
	    (!json_is_string(kid) || !str_copy(jwt->kid, sizeof(jwt->kid), json_string_value(kid))))
		result = err_set(why, "its kid is not a text of at most %d bytes", JWT_KID - 1);
	json_decref(header);
	return result;
}

int
jwt_parse(const char *text, struct jwt *jwt, struct err *why)
{
	*jwt = (struct jwt){.covered = text};
	const char *first = strchr(text, '.');
	const char *second = first == NULL ? NULL : strchr(first + 1, '.');
	size_t length = strlen(text);
	if (length > JWT_MAX)
		return err_set(
		    why, "it has %zu bytes; a token has at most %zu", length, (size_t)JWT_MAX);
	if (second == NULL || strchr(second + 1, '.') != NULL)
		return err_set(
		    why, "it is no JSON Web Token: that is three parts with dots between them");
	if (read_header(text, (size_t)(first - text), jwt, why) < 0)
		return -1;
	jwt->claims = read_part(first + 1, (size_t)(second - first) - 1, "token's body", why);
	if (jwt->claims == NULL)
		return -1;
	jwt->covered_length = (size_t)(second - text);
	long count =
	    jwt_decode64(second + 1, strlen(second + 1), jwt->signature, sizeof(jwt->signature));
	if (count <= 0)
		return err_set(why, "its signature is empty, too long or not in base64url");
	jwt->signature_length = (size_t)count;
	return 0;
}

void
jwt_done(struct jwt *jwt)
{
	json_decref(jwt->claims);
	jwt->claims = NULL;
}
