/* json.c - see json.h. The stdio calls without locks: there is one thread, and a trace may
 * have a hundred thousand connections of fifty fields. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NS_PER_S = 1000000000 };

static void put(const char *text)
{
    fputs_unlocked(text, stdout);
}

void json_count(uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    fwrite_unlocked(digits + at, 1, sizeof digits - at, stdout);
}

void json_seconds(int64_t ns)
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t fraction = magnitude % NS_PER_S;
    char digits[10] = ".000000000";

    if (ns < 0)
        putchar_unlocked('-');
    json_count(magnitude / NS_PER_S);
    for (size_t i = sizeof digits - 1; i > 0; i--) {
        digits[i] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    fwrite_unlocked(digits, 1, sizeof digits, stdout);
}

/* Length of the well-formed UTF-8 sequence (RFC 3629) at `p`, 0 if there is none. */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (p[0] > 0xf4 || (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* A file name need not be UTF-8, JSON must be: a stray byte becomes U+FFFD. */
void json_string(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    putchar_unlocked('"');
    while (*p != '\0') {
        size_t n = utf8_length(p);

        if (n == 0) {
            put("\xef\xbf\xbd");
            n = 1;
        } else if (*p == '"' || *p == '\\') {
            putchar_unlocked('\\');
            putchar_unlocked(*p);
        } else if (*p < 0x20) {
            printf("\\u%04x", *p);
        } else {
            fwrite_unlocked(p, 1, n, stdout);
        }
        p += n;
    }
    putchar_unlocked('"');
}

/* Datagrams that never became whole keep no place in the list. */
static void put_sizes(const struct udp_side *side)
{
    const char *comma = "";

    putchar_unlocked('[');
    for (uint32_t i = 0; i < side->size_count; i++) {
        if (side->sizes[i] == SIZE_PENDING)
            continue;
        put(comma);
        json_count((uint64_t)side->sizes[i]);
        comma = ",";
    }
    putchar_unlocked(']');
}

static void put_value(const struct field *field, const struct value *v)
{
    if (v->is_null) {
        put("null");
        return;
    }
    switch (field->type) {
    case FIELD_COUNT:
        json_count(v->count);
        break;
    case FIELD_TRUTH:
        put(v->truth ? "true" : "false");
        break;
    case FIELD_TEXT:
    case FIELD_ADDRESS:
        json_string(v->text);
        break;
    case FIELD_SECONDS:
        json_seconds(v->ns);
        break;
    case FIELD_SIZES:
        put_sizes(v->sizes);
        break;
    case FIELD_OBJECT: /* its fields follow */
        break;
    }
}

/* Opens and closes objects between the field before and this one. A dotted name has one dot at
 * most. Returns the part of the name behind it. */
static const char *enter_group(const char *name, const char **group, size_t *group_size,
                               const char **comma)
{
    const char *dot = strchr(name, '.');
    size_t size = dot != NULL ? (size_t)(dot - name) : 0;

    if (size == *group_size && (size == 0 || memcmp(name, *group, size) == 0))
        return dot != NULL ? dot + 1 : name;
    if (*group_size > 0) {
        putchar_unlocked('}');
        *comma = ",";
    }
    if (size > 0) {
        put(*comma);
        putchar_unlocked('"');
        fwrite_unlocked(name, 1, size, stdout);
        put("\":{");
        *comma = "";
    }
    *group = name;
    *group_size = size;
    return dot != NULL ? dot + 1 : name;
}

void json_object(const struct field_table *table, const struct subject *of)
{
    const char *group = "", *comma = "", *absent = NULL;
    size_t group_size = 0;

    putchar_unlocked('{');
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct value v;
        const char *name;

        if (field->key_only ||
            (absent != NULL && strncmp(field->name, absent, strlen(absent)) == 0))
            continue;
        field_read(field, of, &v);
        if (field->type == FIELD_OBJECT && !v.is_null)
            continue;
        if (field->type == FIELD_OBJECT)
            absent = field->name;
        name = enter_group(field->name, &group, &group_size, &comma);
        put(comma);
        putchar_unlocked('"');
        put(name);
        put("\":");
        put_value(field, &v);
        comma = ",";
    }
    put(group_size > 0 ? "}}\n" : "}\n");
}
