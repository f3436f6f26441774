/* strace_text.c - see strace_text.h. */
#include "strace_text.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- Spans ---- */

void span_skip(struct span *s, size_t count)
{
    s->at += count;
    s->length -= count;
}

void span_spaces(struct span *s)
{
    while (s->length > 0 && *s->at == ' ')
        span_skip(s, 1);
}

bool span_starts(struct span s, const char *what)
{
    size_t length = strlen(what);

    return s.length >= length && memcmp(s.at, what, length) == 0;
}

bool span_take(struct span *s, const char *what)
{
    if (!span_starts(*s, what))
        return false;
    span_skip(s, strlen(what));
    return true;
}

bool span_is(struct span s, const char *what)
{
    return s.length == strlen(what) && span_starts(s, what);
}

bool span_find(struct span *s, const char *what)
{
    const char *at = s->length > 0 ? memmem(s->at, s->length, what, strlen(what)) : NULL;

    if (at == NULL)
        return false;
    span_skip(s, (size_t)(at - s->at) + strlen(what));
    return true;
}

bool span_contains(struct span s, const char *what)
{
    return span_find(&s, what);
}

bool span_cut_end(struct span *s, const char *what)
{
    size_t length = strlen(what);

    if (s->length < length || memcmp(s->at + s->length - length, what, length) != 0)
        return false;
    s->length -= length;
    return true;
}

bool span_is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool span_number(struct span *s, uint64_t *number)
{
    size_t digits = 0;

    *number = 0;
    for (; digits < s->length && s->at[digits] >= '0' && s->at[digits] <= '9'; digits++) {
        if (*number > (UINT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(s->at[digits] - '0');
    }
    span_skip(s, digits);
    return digits > 0;
}

static bool take_hex(struct span *s, uint64_t *number)
{
    size_t digits = 0;

    for (*number = 0; digits < s->length && digits < 16; digits++) {
        char c = s->at[digits];
        int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (value < 0)
            break;
        *number = *number << 4 | (unsigned)value;
    }
    span_skip(s, digits);
    return digits > 0;
}

bool span_integer(struct span *s, int64_t *number)
{
    struct span from = *s;
    uint64_t value;
    bool minus = span_take(s, "-"), hex = span_take(s, "0x");

    if (!(hex ? take_hex(s, &value) : span_number(s, &value)) || (!hex && value > INT64_MAX)) {
        *s = from;
        return false;
    }
    *number = minus ? -(int64_t)(value & INT64_MAX) : (int64_t)value;
    return true;
}

/* The length of a string with its quotes, and of the dots behind it if it is cut. */
static size_t string_length(struct span s)
{
    size_t at = 1;

    while (at < s.length && s.at[at] != '"')
        at += s.at[at] == '\\' ? 2 : 1;
    if (at >= s.length)
        return s.length;
    at++;
    return at + 3 <= s.length && memcmp(s.at + at, "...", 3) == 0 ? at + 3 : at;
}

size_t span_angle(struct span s)
{
    size_t at = 0, depth = 0;

    while (at < s.length) {
        if (s.at[at] == '"') {
            at += string_length((struct span){s.at + at, s.length - at});
            continue;
        }
        depth += s.at[at] == '<';
        if (s.at[at] == '>' && s.at[at - 1] != '-' && --depth == 0)
            return at + 1;
        at++;
    }
    return s.length;
}

/* Brackets of any kind count as one kind: a log that mixes them up is no worse than cut. */
static size_t bracket_length(struct span s)
{
    size_t at = 0, depth = 0;

    while (at < s.length) {
        char c = s.at[at];
        struct span rest = {s.at + at, s.length - at};

        if (c == '"') {
            at += string_length(rest);
            continue;
        }
        if (c == '<' && at > 0 && s.at[at - 1] >= '0' && s.at[at - 1] <= '9') {
            at += span_angle(rest);
            continue;
        }
        depth += c == '(' || c == '[' || c == '{';
        at++;
        if ((c == ')' || c == ']' || c == '}') && --depth == 0)
            return at;
    }
    return s.length;
}

size_t span_item(struct span s)
{
    switch (*s.at) {
    case '"':
        return string_length(s);
    case '<':
        return span_angle(s);
    case '(':
    case '[':
    case '{':
        return bracket_length(s);
    default:
        return 1;
    }
}

bool span_argument(struct span *list, struct span *argument)
{
    span_spaces(list);
    argument->at = list->at;
    argument->length = 0;
    if (list->length == 0)
        return false;
    while (list->length > 0 && *list->at != ',')
        span_skip(list, span_item(*list));
    argument->length = (size_t)(list->at - argument->at);
    span_take(list, ",");
    return true;
}

struct span span_nth(struct span list, unsigned index)
{
    struct span argument = {list.at, 0};

    do {
        if (!span_argument(&list, &argument))
            break;
    } while (index-- > 0);
    return argument;
}

/* ---- Arguments ---- */

bool text_descriptor(struct span *s, int64_t *fd, struct span *about)
{
    *about = (struct span){s->at, 0};
    if (!span_integer(s, fd))
        return false;
    if (s->length > 0 && *s->at == '<') {
        size_t length = span_angle(*s);

        *about = (struct span){s->at + 1, length >= 2 ? length - 2 : 0};
        span_skip(s, length);
    }
    return true;
}

/* An address as inet_pton() reads it. */
static bool take_address(struct span s, struct text_address *address)
{
    char text[INET6_ADDRSTRLEN];
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (s.length == 0 || s.length >= sizeof text)
        return false;
    memcpy(text, s.at, s.length);
    text[s.length] = '\0';
    memset(address->end.address, 0, sizeof address->end.address);
    address->ip_version = memchr(text, ':', s.length) != NULL ? 6 : 4;
    if (inet_pton(address->ip_version == 6 ? AF_INET6 : AF_INET, text, address->end.address) != 1)
        return false;
    if (address->ip_version == 6 && memcmp(address->end.address, mapped, sizeof mapped) == 0) {
        memcpy(address->end.address, address->end.address + 12, 4);
        memset(address->end.address + 4, 0, 12);
        address->ip_version = 4;
    }
    return true;
}

static bool take_port(struct span *s, uint16_t *port)
{
    uint64_t number;

    if (!span_number(s, &number) || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

bool text_sockaddr(struct span s, struct text_address *address)
{
    struct span quoted;
    size_t length;

    memset(address, 0, sizeof *address);
    if (!span_find(&s, "sa_family=AF_INET") || !span_find(&s, "_port=htons(") ||
        !take_port(&s, &address->end.port) || !span_find(&s, "inet_"))
        return false;
    if (!span_take(&s, "addr(") && !span_take(&s, "pton(AF_INET6, "))
        return false;
    if (s.length == 0 || *s.at != '"')
        return false;
    length = string_length(s);
    quoted = (struct span){s.at + 1, length >= 2 ? length - 2 : 0};
    if (take_address(quoted, address))
        return true;
    address->ip_version = 0;
    return false;
}

/* "127.0.0.1:4321", "[::1]:4321". */
static bool take_end(struct span s, struct text_address *address)
{
    const char *colon = s.length > 0 ? memrchr(s.at, ':', s.length) : NULL;
    struct span port;

    if (colon == NULL)
        return false;
    port = (struct span){colon + 1, s.length - (size_t)(colon + 1 - s.at)};
    s.length = (size_t)(colon - s.at);
    if (s.length >= 2 && *s.at == '[') {
        s.length -= 2;
        s.at++;
    }
    return take_port(&port, &address->end.port) && port.length == 0 && take_address(s, address);
}

bool text_socket(struct span about, struct text_socket *socket)
{
    struct span s = about, from;
    const char *arrow;

    memset(socket, 0, sizeof *socket);
    if (span_take(&s, "socket:[")) { /* -y: of which kind is not told */
        return span_number(&s, &socket->inode);
    }
    socket->protocol = span_starts(s, "TCP") ? IP_TCP : span_starts(s, "UDP") ? IP_UDP : 0;
    span_skip(&s, socket->protocol != 0 ? 3 : 0);
    span_take(&s, "v6");
    if (socket->protocol == 0 || !span_take(&s, ":[") || !span_cut_end(&s, "]"))
        return false;
    from = s;
    if (span_number(&s, &socket->inode) && s.length == 0)
        return true;
    socket->inode = 0;
    arrow = memmem(from.at, from.length, "->", 2);
    if (arrow == NULL)
        return take_end(from, &socket->local);
    s = (struct span){arrow + 2, from.length - (size_t)(arrow + 2 - from.at)};
    from.length = (size_t)(arrow - from.at);
    return take_end(from, &socket->local) && take_end(s, &socket->remote);
}

bool text_no_socket(struct span about)
{
    return about.length > 0 && !span_starts(about, "TCP") && !span_starts(about, "UDP") &&
           !span_starts(about, "socket:[") && !span_starts(about, "anon_inode:[eventpoll]");
}

static int octal(char c)
{
    return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* What stands behind a backslash; s is behind it too, afterwards. */
static uint8_t escaped(struct span *s)
{
    static const char letters[] = "abfnrtv", means[] = "\a\b\f\n\r\t\v";
    const char *letter;
    uint64_t hex;
    unsigned value = 0;
    char c = *s->at;

    if (c == 'x' && s->length >= 3) {
        struct span digits = {s->at + 1, 2};

        span_skip(s, 3);
        return take_hex(&digits, &hex) ? (uint8_t)hex : '?';
    }
    if (octal(c) >= 0) {
        for (int i = 0; i < 3 && s->length > 0 && octal(*s->at) >= 0; i++) {
            value = value * 8 + (unsigned)octal(*s->at);
            span_skip(s, 1);
        }
        return (uint8_t)value;
    }
    span_skip(s, 1);
    letter = strchr(letters, c);
    return letter != NULL && *letter != '\0' ? (uint8_t)means[letter - letters] : (uint8_t)c;
}

int64_t text_string(struct span s, uint8_t *bytes, size_t size)
{
    size_t count = 0;

    if (!span_take(&s, "\""))
        return -1;
    while (s.length > 0 && *s.at != '"' && count < size) {
        if (*s.at != '\\') {
            bytes[count++] = (uint8_t)*s.at;
            span_skip(&s, 1);
            continue;
        }
        span_skip(&s, 1);
        if (s.length == 0)
            break;
        bytes[count++] = escaped(&s);
    }
    return (int64_t)count;
}
