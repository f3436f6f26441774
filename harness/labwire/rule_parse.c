/* rule_parse.c - a rule's words. */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "rule.h"

enum { WORDS_MAX = 16, DELAY_MAX_MS = 3600 * 1000 };

static const char *const kinds[KINDS] = {"packet", "tcp", "udp", "icmp", "syn",
                                         "syn-ack", "fin", "rst", "data", "ack"};

struct words {
    char *copy; /* what `word` points into */
    const char *word[WORDS_MAX + 1]; /* ends with NULL */
    size_t next;
    char *reason;
    size_t reason_size;
};

__attribute__((format(printf, 2, 3)))
static bool refuse(const struct words *w, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(w->reason, w->reason_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool split(struct words *w, const char *text)
{
    size_t count = 0;
    char *rest = NULL;

    w->copy = need(strdup(text));
    for (char *word = strtok_r(w->copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (count == WORDS_MAX)
            return refuse(w, "it has too many words");
        w->word[count++] = word;
    }
    w->word[count] = NULL;
    return true;
}

/* True, and past it, if the next word is NAME. */
static bool accept_word(struct words *w, const char *name)
{
    if (w->word[w->next] == NULL || strcmp(w->word[w->next], name) != 0)
        return false;
    w->next++;
    return true;
}

/* The next word, and past it; "" where there is none. */
static const char *take(struct words *w)
{
    return w->word[w->next] == NULL ? "" : w->word[w->next++];
}

/* Digits only. *END is where they end. */
static bool read_digits(const char *text, const char **end, uint64_t least, uint64_t most,
                        uint64_t *number)
{
    uint64_t n = 0;

    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        if (n > most) /* far below overflow, as `most` has 32 bits at most */
            return false;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    *end = text;
    *number = n;
    return n >= least && n <= most;
}

static bool take_number(struct words *w, const char *what, uint64_t least, uint64_t most,
                        uint64_t *number)
{
    const char *word = take(w), *end;

    if (!read_digits(word, &end, least, most, number) || *end != '\0')
        return refuse(w, "%s is a number from %" PRIu64 " to %" PRIu64 ", not '%s'", what, least,
                      most, word);
    return true;
}

static bool take_action(struct words *w, struct rule *rule)
{
    const char *word = take(w);
    uint64_t ms = 0;

    for (int i = 0; i < ACTIONS; i++) {
        if (strcmp(word, action_name((enum action)i)) != 0)
            continue;
        rule->action = (enum action)i;
        if (rule->action == ACTION_DELAY && !take_number(w, "delay", 1, DELAY_MAX_MS, &ms))
            return false;
        rule->delay_ns = (int64_t)ms * 1000000;
        return true;
    }
    return refuse(w, "it begins with drop, duplicate, delay, reorder or corrupt, not '%s'", word);
}

static bool take_kind(struct words *w, struct rule *rule)
{
    const char *word = take(w);

    for (int i = 0; i < KINDS; i++) {
        if (strcmp(word, kinds[i]) != 0)
            continue;
        rule->kind = (enum kind)i;
        return true;
    }
    return refuse(w, "'%s' is none of packet, tcp, udp, icmp, syn, syn-ack, fin, rst, data, ack",
                  word);
}

static bool take_port(struct words *w, const char *name, int32_t *port)
{
    uint64_t number;

    *port = ANY_PORT;
    if (!accept_word(w, name))
        return true;
    if (!take_number(w, name, 0, 65535, &number))
        return false;
    *port = (int32_t)number;
    return true;
}

static bool take_ports(struct words *w, struct rule *rule)
{
    if (!take_port(w, "from", &rule->from) || !take_port(w, "to", &rule->to))
        return false;
    if (rule->kind == KIND_ICMP && (rule->from != ANY_PORT || rule->to != ANY_PORT))
        return refuse(w, "ICMP has no ports");
    return true;
}

/* "3" or "1,4,5". */
static bool read_list(struct words *w, const char *word, struct rule *rule)
{
    const char *at = word;
    uint64_t number;

    rule->which = WHICH_LISTED;
    rule->listed = need(malloc((strlen(word) + 1) * sizeof *rule->listed));
    do {
        if (!read_digits(at, &at, 1, UINT32_MAX, &number))
            return refuse(w, "'%s' is none of N, N,N,..., every N, all, random PERCENT seed N",
                          word);
        if (rule->listed_count > 0 && number <= rule->listed[rule->listed_count - 1])
            return refuse(w, "the numbers of '%s' must ascend", word);
        rule->listed[rule->listed_count++] = number;
    } while (*at++ == ',');
    if (at[-1] != '\0')
        return refuse(w, "'%s' is none of N, N,N,..., every N, all, random PERCENT seed N", word);
    return true;
}

/* "30" or "0.125": to the thousandth of a per cent. */
static bool read_percent(const char *text, uint64_t *thousandths)
{
    uint64_t whole, part = 0;
    const char *end;

    if (!read_digits(text, &end, 0, 100, &whole))
        return false;
    if (*end == '.') {
        const char *digits = ++end;
        if (!read_digits(digits, &end, 0, 999, &part) || end - digits > 3)
            return false;
        for (ptrdiff_t i = end - digits; i < 3; i++)
            part *= 10;
    }
    *thousandths = whole * 1000 + part;
    return *end == '\0' && *thousandths > 0 && *thousandths <= 100000;
}

static bool take_chance(struct words *w, struct rule *rule)
{
    const char *word = take(w);
    uint64_t thousandths;

    rule->which = WHICH_RANDOM;
    if (!read_percent(word, &thousandths))
        return refuse(w, "random is a percentage from 0.001 to 100, not '%s'", word);
    rule->below = (thousandths << 32) / 100000;
    if (!accept_word(w, "seed"))
        return refuse(w, "random needs a seed: random %s seed 1", word);
    return take_number(w, "seed", 0, UINT32_MAX, &rule->seed);
}

static bool take_which(struct words *w, struct rule *rule)
{
    const char *word = take(w);

    if (*word == '\0')
        return refuse(w, "it does not say which: N, N,N,..., every N, all, random PERCENT seed N");
    if (strcmp(word, "every") == 0) {
        rule->which = WHICH_EVERY;
        return take_number(w, "every", 1, UINT32_MAX, &rule->every);
    }
    if (strcmp(word, "all") == 0) {
        rule->which = WHICH_ALL;
        return true;
    }
    return strcmp(word, "random") == 0 ? take_chance(w, rule) : read_list(w, word, rule);
}

static bool take_end(struct words *w)
{
    const char *word = take(w);

    return *word == '\0' || refuse(w, "nothing may follow, not '%s'", word);
}

static char *join(const struct words *w)
{
    size_t size = 1;
    char *text, *end;

    for (size_t i = 0; w->word[i]; i++)
        size += strlen(w->word[i]) + 1;
    end = text = need(malloc(size));
    *end = '\0';
    for (size_t i = 0; w->word[i]; i++)
        end += sprintf(end, "%s%s", i > 0 ? " " : "", w->word[i]);
    return text;
}

bool rule_parse(struct rule *rule, const char *text, char *reason, size_t size)
{
    struct words w = {.reason = reason, .reason_size = size};
    bool good;

    memset(rule, 0, sizeof *rule);
    good = split(&w, text) && take_action(&w, rule) && take_kind(&w, rule) &&
           take_ports(&w, rule) && take_which(&w, rule) && take_end(&w);
    if (good)
        rule->text = join(&w);
    else
        rule_free(rule);
    free(w.copy);
    return good;
}
