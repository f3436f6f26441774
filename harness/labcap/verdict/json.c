/* json.c - see json.h. A trace may have a hundred thousand connections of sixty fields: an object
 * is put together in memory, its names are copied as they will stand. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

enum {
    NS_PER_S = 1000000000,
    TEXT_SIZE = 16 * 1024,
    LABEL_SIZE = 32, /* of a name with its punctuation; always copied whole */
    NAME_SIZE = 2 * LABEL_SIZE + 2,
    COUNT_SIZE = 20,
    TABLES = 3,
    GROUPS_MAX = 8,
    FIELDS_MAX = 96
};

/* ---- Text ---- */

static struct {
    size_t used;
    char text[TEXT_SIZE];
} out;

static void flush(void)
{
    fwrite_unlocked(out.text, 1, out.used, stdout);
    out.used = 0;
}

/* Makes room for `n` characters and returns where they go. */
static inline char *room(size_t n)
{
    if (TEXT_SIZE - out.used < n)
        flush();
    return out.text + out.used;
}

static inline void put_char(char c)
{
    *room(1) = c;
    out.used++;
}

static void put_text(const char *text, size_t size)
{
    memcpy(room(size), text, size);
    out.used += size;
}

#define PUT(literal) put_text(literal, sizeof literal - 1)

static const char digit_pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293"
    "949596979899";

/* The last `n` digits of a number, with zeros before it. */
static inline void write_digits(char *to, uint64_t number, size_t n)
{
    for (; n >= 2; number /= 100)
        memcpy(to + (n -= 2), digit_pairs + number % 100 * 2, 2);
    if (n > 0)
        *to = (char)('0' + number % 10);
}

/* Returns the end of the COUNT_SIZE characters, at most, that it writes. */
static inline char *write_count(char *to, uint64_t number)
{
    size_t digits = 1;

    if (number < 10) {
        *to = (char)('0' + number);
        return to + 1;
    }
    for (uint64_t power = 10; number >= power; power *= 10)
        if (++digits == COUNT_SIZE) /* the next power is none of 64 bits */
            break;
    write_digits(to, number, digits);
    return to + digits;
}

static void put_count(uint64_t n)
{
    char *to = room(COUNT_SIZE);

    out.used += (size_t)(write_count(to, n) - to);
}

static void put_seconds(int64_t ns)
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

    if (ns < 0)
        put_char('-');
    put_count(magnitude / NS_PER_S);
    put_char('.');
    write_digits(room(9), magnitude % NS_PER_S, 9);
    out.used += 9;
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
static void put_string(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    put_char('"');
    while (*p != '\0') {
        size_t n;

        if (*p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
            put_char((char)*p++);
            continue;
        }
        n = utf8_length(p);

        if (n == 0) {
            PUT("\xef\xbf\xbd");
            n = 1;
        } else if (*p == '"' || *p == '\\') {
            put_char('\\');
            put_char((char)*p);
        } else if (*p < 0x20) {
            out.used += (size_t)sprintf(room(sizeof "\\u0000"), "\\u%04x", *p);
        } else {
            put_text((const char *)p, n);
        }
        p += n;
    }
    put_char('"');
}

void json_count(uint64_t n)
{
    put_count(n);
    flush();
}

void json_seconds(int64_t ns)
{
    put_seconds(ns);
    flush();
}

void json_string(const char *text)
{
    put_string(text);
    flush();
}

/* ---- Names ---- */

struct label {
    char text[LABEL_SIZE];
    size_t size;
};

/* A table's names: "to_server.bytes" has the label ,"bytes": and stands in the group to_server. */
struct names {
    const struct field_table *table;
    struct label label[FIELDS_MAX];
    uint8_t group[FIELDS_MAX];       /* 0 none */
    struct label open[GROUPS_MAX];   /* by group: "to_server":{ */
};

static void make_label(struct label *label, const char *before, const char *name, size_t size,
                       const char *behind)
{
    int n = snprintf(label->text, LABEL_SIZE, "%s\"%.*s\":%s", before, (int)size, name, behind);

    if (n >= LABEL_SIZE)
        abort(); /* a name in fields.c is too long */
    label->size = (size_t)n;
}

static void make_names(struct names *names, const struct field_table *table)
{
    uint8_t group = 0;
    const char *last = "";
    size_t last_size = 0;

    if (table->count > FIELDS_MAX)
        abort();
    names->table = table;
    for (size_t i = 0; i < table->count; i++) {
        const char *name = table->fields[i].name, *dot = strchr(name, '.');
        size_t size = dot != NULL ? (size_t)(dot - name) : 0;

        if (size > 0 && (size != last_size || memcmp(name, last, size) != 0)) {
            if (++group == GROUPS_MAX)
                abort();
            make_label(&names->open[group], "", name, size, "{");
        }
        last = name;
        last_size = size;
        names->group[i] = size > 0 ? group : 0;
        name = dot != NULL ? dot + 1 : name;
        make_label(&names->label[i], ",", name, strlen(name), "");
    }
}

static const struct names *names_of(const struct field_table *table)
{
    static struct names all[TABLES];

    for (size_t i = 0; i < TABLES; i++) {
        if (all[i].table == NULL)
            make_names(&all[i], table);
        if (all[i].table == table)
            return &all[i];
    }
    abort(); /* a fourth table */
}

/* ---- Objects ---- */

/* Datagrams that never became whole keep no place in the list. */
static void put_sizes(const struct udp_side *side)
{
    bool comma = false;

    put_char('[');
    for (uint32_t i = 0; i < side->size_count; i++) {
        if (side->sizes[i] == SIZE_PENDING)
            continue;
        if (comma)
            put_char(',');
        put_count((uint64_t)side->sizes[i]);
        comma = true;
    }
    put_char(']');
}

static void put_value(const struct field *field, const struct value *v)
{
    if (v->is_null) {
        PUT("null");
        return;
    }
    switch (field->type) {
    case FIELD_COUNT:
        put_count(v->count);
        break;
    case FIELD_TRUTH:
        if (v->truth)
            PUT("true");
        else
            PUT("false");
        break;
    case FIELD_TEXT:
    case FIELD_ADDRESS:
        put_string(v->text);
        break;
    case FIELD_SECONDS:
        put_seconds(v->ns);
        break;
    case FIELD_SIZES:
        put_sizes(v->sizes);
        break;
    case FIELD_OBJECT: /* its fields follow */
        break;
    }
}

static inline char *write_label(char *to, const struct label *label, bool comma)
{
    memcpy(to, label->text + !comma, LABEL_SIZE - 1);
    return to + label->size - !comma;
}

/* Closes and opens objects before field `i`, and names it, in NAME_SIZE characters at most. */
static inline char *write_name(char *to, const struct names *names, size_t i, uint8_t *group,
                               bool *comma)
{
    if (names->group[i] != *group) {
        if (*group != 0)
            *to++ = '}';
        *comma |= *group != 0;
        *group = names->group[i];
        if (*group != 0) {
            *to = ',';
            to = write_label(to + *comma, &names->open[*group], true);
            *comma = false;
        }
    }
    to = write_label(to, &names->label[i], *comma);
    *comma = true;
    return to;
}

static inline char *write_null(char *to)
{
    memcpy(to, "null", 4);
    return to + 4;
}

void json_object(const struct field_table *table, const struct subject *of)
{
    const struct names *names = names_of(table);
    const void *bases[FIELD_BASES];
    const char *absent = NULL;
    uint8_t group = 0;
    bool comma = false;

    field_find_bases(bases, of);
    put_char('{');
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        char *to = room(NAME_SIZE + COUNT_SIZE);
        struct value v;

        if (field->base != BASE_NONE) {
            v.count = field_count(field, bases);
            to = write_name(to, names, i, &group, &comma);
            to = field->nullable && v.count == 0 ? write_null(to) : write_count(to, v.count);
            out.used = (size_t)(to - out.text);
            continue;
        }
        if (field->key_only ||
            (absent != NULL && strncmp(field->name, absent, strlen(absent)) == 0))
            continue;
        field_read(field, of, &v);
        if (field->type == FIELD_OBJECT && !v.is_null)
            continue;
        if (field->type == FIELD_OBJECT)
            absent = field->name;
        to = write_name(to, names, i, &group, &comma);
        out.used = (size_t)(to - out.text);
        put_value(field, &v);
    }
    if (group != 0)
        put_char('}');
    PUT("}\n");
    flush();
}
