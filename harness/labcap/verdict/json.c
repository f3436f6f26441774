/* json.c - see json.h. A trace may have a hundred thousand connections of sixty fields: an object
 * is put together in memory, its names are copied as they will stand. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"
#include "memory.h"

enum {
    NS_PER_S = 1000000000,
    NS_DIGITS = 9,
    TEXT_SIZE = 16 * 1024,
    LABEL_SIZE = 32, /* of what stands before a value; always copied whole */
    PLAIN_MAX = 1024, /* at once */
    TABLES = 3,
    FIELDS_MAX = 96,
    VALUE_SIZE = 72, /* of all but lists and names of files */
    OBJECT_SIZE = FIELDS_MAX * (LABEL_SIZE + VALUE_SIZE), /* without these */
    ABSENT_SIZE = 4096
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

/* What was written in the room ends here. */
static inline void put_until(const char *end)
{
    out.used = (size_t)(end - out.text);
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

static void put_count(uint64_t n)
{
    put_until(digits_all(room(DIGITS_MAX), n));
}

/* These write where there is room for VALUE_SIZE, and return the value's end. */
static inline char *write_null(char *to)
{
    memcpy(to, "null", 4);
    return to + 4;
}

static inline char *write_truth(char *to, bool truth)
{
    memcpy(to, truth ? "true" : "false", truth ? 4 : 5);
    return to + (truth ? 4 : 5);
}

static char *write_seconds(char *to, int64_t ns)
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint32_t rest = (uint32_t)(magnitude % NS_PER_S);

    *to = '-';
    to = digits_all(to + (ns < 0), magnitude / NS_PER_S);
    to[0] = '.';
    to[1] = (char)('0' + rest / digits_limit);
    digits_eight(to + 2, rest % digits_limit);
    return to + NS_DIGITS + 1;
}

/* A text of which every character stands as it is. */
static inline char *write_plain(char *to, const char *text)
{
    size_t size = strlen(text);

    if (size + 2 > VALUE_SIZE)
        abort(); /* a longer one than any in fields.c */
    to[0] = to[size + 1] = '"';
    memcpy(to + 1, text, size);
    return to + size + 2;
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

/* How many characters stand in a string as they are. */
static size_t plain_length(const unsigned char *p)
{
    size_t n = 0;

    while (n < PLAIN_MAX && p[n] >= 0x20 && p[n] < 0x80 && p[n] != '"' && p[n] != '\\')
        n++;
    return n;
}

/* A file name need not be UTF-8, JSON must be: a stray byte becomes U+FFFD. */
static void put_string(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    put_char('"');
    while (*p != '\0') {
        size_t n = plain_length(p);

        if (n > 0) {
            put_text((const char *)p, n);
            p += n;
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
    put_until(write_seconds(room(VALUE_SIZE), ns));
    flush();
}

void json_string(const char *text)
{
    put_string(text);
    flush();
}

/* ---- Names ---- */

/* What stands between the value before a field and its own: of to_server.packets
 * },"to_server":{"packets": */
struct label {
    char text[LABEL_SIZE];
    size_t size;
    /* Of a field that has a base: */
    size_t absent; /* where names.absent tells of it, */
    size_t behind; /* and the next field that has another base */
};

struct names {
    const struct field_table *table;
    struct label label[FIELDS_MAX];
    bool ends_grouped; /* the last one stands in an object of its own */
    char absent[ABSENT_SIZE]; /* labels and values of fields whose bases are not there */
};

/* The length of the group's name: of to_server.packets that of to_server; 0 where it has none. */
static size_t group_size(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot != NULL ? (size_t)(dot - name) : 0;
}

/* `before`: the name of the field before, "" for the first one, which begins the object. */
static void make_label(struct label *label, const char *before, const char *name)
{
    size_t was = group_size(before), is = group_size(name);
    bool goes_on = was == is && strncmp(before, name, is) == 0;
    const char *own = is > 0 ? name + is + 1 : name;
    const char *comma = *before == '\0' ? "{" : was > 0 && !goes_on ? "}," : ",";
    int n;

    if (is > 0 && !goes_on)
        n = snprintf(label->text, LABEL_SIZE, "%s\"%.*s\":{\"%s\":", comma, (int)is, name, own);
    else
        n = snprintf(label->text, LABEL_SIZE, "%s\"%s\":", comma, own);
    if (n >= LABEL_SIZE)
        abort(); /* a name in fields.c is too long */
    label->size = (size_t)n;
}

static void make_absent(struct names *names)
{
    const struct field *fields = names->table->fields;
    size_t count = names->table->count, size = 0;

    for (size_t i = 0; i < count; i++) {
        names->label[i].absent = size;
        if (fields[i].base != BASE_NONE)
            size += (size_t)snprintf(names->absent + size, ABSENT_SIZE - size, "%s%s",
                                     names->label[i].text, fields[i].nullable ? "null" : "0");
        if (size >= ABSENT_SIZE)
            abort();
    }
    names->label[count].absent = size;
    for (size_t i = count; i-- > 0;) {
        bool goes_on = i + 1 < count && fields[i].base == fields[i + 1].base;

        names->label[i].behind = goes_on ? names->label[i + 1].behind : i + 1;
    }
}

/* A FIELD_OBJECT leaves no trace where its fields follow, and where they do not it is the last. */
static void make_names(struct names *names, const struct field_table *table)
{
    const char *before = "";

    if (table->count >= FIELDS_MAX)
        abort();
    names->table = table;
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].key_only)
            continue;
        make_label(&names->label[i], before, table->fields[i].name);
        if (table->fields[i].type != FIELD_OBJECT)
            before = table->fields[i].name;
    }
    make_absent(names);
    names->ends_grouped = group_size(before) > 0;
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

/* A list, or a text of any octets, with room for the other fields behind it. */
static char *write_long(char *to, const struct field *field, const struct value *v)
{
    put_until(to);
    if (field->type == FIELD_SIZES)
        put_sizes(v->sizes);
    else
        put_string(v->text);
    return room(OBJECT_SIZE);
}

static char *write_value(char *to, const struct field *field, const struct value *v)
{
    if (v->is_null)
        return write_null(to);
    switch (field->type) {
    case FIELD_COUNT:
        return digits_all(to, v->count);
    case FIELD_TRUTH:
        return write_truth(to, v->truth);
    case FIELD_TEXT:
    case FIELD_ADDRESS:
        return field->any_octets ? write_long(to, field, v) : write_plain(to, v->text);
    case FIELD_SECONDS:
        return write_seconds(to, v->ns);
    case FIELD_SIZES:
        return write_long(to, field, v);
    case FIELD_OBJECT: /* its fields follow */
        break;
    }
    return to;
}

static inline char *write_label(char *to, const struct label *label)
{
    memcpy(to, label->text, LABEL_SIZE);
    return to + label->size;
}

/* The fields from this one on that have the same base. */
static inline char *write_counts(char *to, const struct names *names, size_t i, const void *base)
{
    const struct label *label = names->label;
    size_t behind = label[i].behind, size = label[behind].absent - label[i].absent;
    uint64_t n;

    if (base == NULL) {
        memcpy(to, names->absent + label[i].absent, size);
        return to + size;
    }
    for (; i < behind; i++) {
        to = write_label(to, &label[i]);
        to = field_count(&names->table->fields[i], base, &n) ? digits_all(to, n) : write_null(to);
    }
    return to;
}

void json_object(const struct field_table *table, const struct subject *of)
{
    const struct names *names = names_of(table);
    const void *bases[FIELD_BASES];
    bool grouped = names->ends_grouped;
    char *to = room(OBJECT_SIZE);

    field_find_bases(bases, of);
    for (size_t i = 0; i < table->count;) {
        const struct field *field = &table->fields[i];
        const struct label *label = &names->label[i];
        struct value v;

        if (field->base != BASE_NONE) {
            to = write_counts(to, names, i, bases[field->base]);
            i = label->behind;
            continue;
        }
        i++;
        if (field->key_only)
            continue;
        field_read(field, of, &v);
        if (field->type == FIELD_OBJECT && !v.is_null)
            continue;
        to = write_value(write_label(to, label), field, &v);
        if (field->type == FIELD_OBJECT) {
            grouped = false;
            break;
        }
    }
    put_until(to);
    if (grouped)
        put_char('}');
    PUT("}\n");
    flush();
}
