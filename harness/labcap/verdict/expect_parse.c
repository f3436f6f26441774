/* expect_parse.c - an expectation's text: key, operator, value. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "memory.h"
#include "messages.h"

enum { KEY_MAX = 64, NS_DIGITS = 9 };

static size_t key_length(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
}

/* Skips "N:". *id is 0 without it, and for a number that no flow has. */
static const char *skip_id(const char *text, uint64_t *id)
{
    size_t digits = strspn(text, "0123456789");

    *id = 0;
    if (digits == 0 || text[digits] != ':')
        return text;
    *id = digits < 11 ? strtoull(text, NULL, 10) : 0;
    return text + digits + 1;
}

static bool read_operator(const char **text, enum expect_operator *op)
{
    if ((*text)[0] == '=') {
        *op = EXPECT_EQUAL;
        *text += 1;
        return true;
    }
    if (((*text)[0] != '>' && (*text)[0] != '<') || (*text)[1] != '=')
        return false;
    *op = (*text)[0] == '>' ? EXPECT_AT_LEAST : EXPECT_AT_MOST;
    *text += 2;
    return true;
}

bool expect_looks_like_one(const char *text)
{
    uint64_t id;
    enum expect_operator op;
    const char *key = skip_id(text, &id), *rest = key + key_length(key);

    return rest != key && read_operator(&rest, &op);
}

/* ---- Unknown keys ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance of two names of at most KEY_MAX characters. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[KEY_MAX + 1], length = least(strlen(b), KEY_MAX);

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0' && i <= KEY_MAX; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

static const char *nearest_key(const char *key)
{
    const struct field_table *tables[] = {&capture_fields, &tcp_fields, &udp_fields};
    const char *best = "";
    size_t best_distance = SIZE_MAX;

    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct field *f = &tables[t]->fields[i];
            size_t d = edit_distance(key, f->name);

            if (f->type != FIELD_SIZES && d < best_distance) {
                best = f->name;
                best_distance = d;
            }
        }
    }
    return best;
}

static bool find_key(struct expectation *e, const char *text, size_t length, char *error,
                     size_t size)
{
    char key[KEY_MAX + 1];

    snprintf(key, sizeof key, "%.*s", (int)least(length, KEY_MAX), text);
    e->tcp = field_find(&tcp_fields, key);
    e->udp = field_find(&udp_fields, key);
    if (e->tcp == NULL && e->udp == NULL)
        e->capture = field_find(&capture_fields, key);
    if (e->udp != NULL && e->udp->type == FIELD_SIZES)
        e->udp = NULL;
    if (e->tcp != NULL || e->udp != NULL || (e->capture != NULL && e->flow_id == 0))
        return true;
    if (e->capture != NULL)
        snprintf(error, size, "%s: %s is of the whole trace, not of a flow", e->text, key);
    else
        snprintf(error, size, "%s: no key %s; the nearest is %s", e->text, key,
                 nearest_key(key));
    return false;
}

/* ---- Values ---- */

static const char too_large[] = "too large";

/* These return NULL, or what is wrong with the text. */
static const char *read_count(const char *text, uint64_t *count)
{
    char *end;

    errno = 0;
    *count = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0')
        return "not a whole number";
    return errno == 0 ? NULL : too_large;
}

/* Seconds with up to nine decimals, exactly. */
static const char *read_seconds(const char *text, int64_t *ns)
{
    static const char no_seconds[] = "not a number of seconds";
    bool negative = *text == '-';
    uint64_t whole, fraction = 0;
    char *end;
    int digits = 0;

    text += negative;
    if (!isdigit((unsigned char)*text))
        return no_seconds;
    errno = 0;
    whole = strtoull(text, &end, 10);
    if (*end == '.') {
        while (isdigit((unsigned char)*++end) && digits++ < NS_DIGITS)
            fraction = fraction * 10 + (uint64_t)(*end - '0');
        if (digits == 0 || digits > NS_DIGITS)
            return no_seconds;
    }
    if (*end != '\0')
        return no_seconds;
    if (errno != 0 || whole > 9000000000)
        return too_large;
    for (; digits < NS_DIGITS; digits++)
        fraction *= 10;
    *ns = (int64_t)(whole * 1000000000 + fraction);
    if (negative)
        *ns = -*ns;
    return NULL;
}

static bool read_address(const char *text, char *canonical, socklen_t size)
{
    unsigned char bytes[16];
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    return inet_pton(family, text, bytes) == 1 &&
           inet_ntop(family, bytes, canonical, size) != NULL;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);

    while (choices != NULL && *choices != '\0') {
        size_t n = strcspn(choices, " ");

        if (n == length && memcmp(choices, text, n) == 0)
            return true;
        choices += n + (choices[n] == ' ');
    }
    return false;
}

/* Returns NULL, or what is wrong with the text. */
static const char *read_value(const struct field *f, const char *text, struct value *v)
{
    switch (f->type) {
    case FIELD_TRUTH:
        v->truth = strcmp(text, "true") == 0;
        return v->truth || strcmp(text, "false") == 0 ? NULL : "not true or false";
    case FIELD_TEXT:
        v->text = text;
        if (f->choices != NULL)
            return is_choice(f->choices, text) ? NULL : f->choices;
        return *text != '\0' ? NULL : "not a word";
    case FIELD_ADDRESS:
        return read_address(text, v->buffer, sizeof v->buffer) ? NULL : "not an IP address";
    case FIELD_SECONDS:
        return read_seconds(text, &v->ns);
    default:
        return read_count(text, &v->count);
    }
}

static bool set_value(struct expectation *e, const struct field *f, const char *text,
                      char *error, size_t size)
{
    const char *wrong;
    bool ordered = f->type == FIELD_COUNT || f->type == FIELD_SECONDS ||
                   f->type == FIELD_OBJECT;

    if (e->op != EXPECT_EQUAL && (!ordered || strcmp(text, "null") == 0)) {
        snprintf(error, size, "%s: only numbers are compared with >= and <=", e->text);
        return false;
    }
    if (f->nullable && strcmp(text, "null") == 0) {
        e->wanted.is_null = true;
        return true;
    }
    wrong = read_value(f, text, &e->wanted);
    if (wrong == NULL)
        return true;
    snprintf(error, size, "%s: '%s' is %s%s%s", e->text, text,
             f->choices != NULL ? "not one of: " : "", wrong,
             f->nullable && wrong != too_large ? ", or null" : "");
    return false;
}

bool expect_parse(struct expectation *e, const char *text, char *error, size_t size)
{
    const char *key, *rest;
    bool has_id;

    memset(e, 0, sizeof *e);
    e->text = need(strdup(text));
    e->shown = printable(text);
    key = skip_id(e->text, &e->flow_id);
    has_id = key != e->text;
    rest = key + key_length(key);
    if (rest == key || !read_operator(&rest, &e->op)) {
        snprintf(error, size, "%s: not KEY=VALUE, KEY>=VALUE or KEY<=VALUE", text);
        return false;
    }
    if (has_id && e->flow_id == 0) {
        snprintf(error, size, "%s: there is no flow of that number", text);
        return false;
    }
    if (!find_key(e, key, strcspn(key, "=<>"), error, size))
        return false;
    return set_value(e, e->tcp != NULL ? e->tcp : e->udp != NULL ? e->udp : e->capture, rest,
                     error, size);
}

void expect_free(struct expectation *e)
{
    free(e->text);
    free(e->shown);
    e->text = e->shown = NULL;
}
