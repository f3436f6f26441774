/* ladder_words.c - see ladder_words.h. Without stdio: a trace may have millions of rows. */
#include "ladder_words.h"

#include <limits.h>
#include <string.h>

#include "ladder_text.h"

void text_add(struct growing *g, const char *text)
{
    size_t length = strlen(text);

    if (length >= g->size - g->used)
        length = g->size - g->used - 1;
    memcpy(g->text + g->used, text, length);
    g->used += length;
    g->text[g->used] = '\0';
}

static void add_number(struct growing *g, const char *name, int64_t number)
{
    char digits[NUMBER_TEXT_MAX];

    number_text(digits, number);
    text_add(g, name);
    text_add(g, digits);
}

/* What a wording says behind the label. */
enum part { SEQ, ACK, ACKNOWLEDGED, LEN, PARTS };

struct part_text {
    char text[LADDER_TEXT_MAX / 2];
    size_t length;
};

static void begin_part(struct growing *g, struct part_text *part)
{
    *g = (struct growing){part->text, 0, sizeof part->text};
}

/* " (packet 4)", " (packets 4, 6)", " (packets 4-9)": whose data the number before it
 * acknowledges. */
static void word_acknowledged(struct part_text *part, const struct segment_record *s)
{
    bool one = s->acks_first == s->acks_last;
    struct growing g;

    begin_part(&g, part);
    add_number(&g, one ? " (packet " : " (packets ", (int64_t)s->acks_first);
    if (!one)
        add_number(&g, s->acks_more ? "-" : ", ", (int64_t)s->acks_last);
    text_add(&g, ")");
    part->length = g.used;
}

static void word_number(struct part_text *part, const char *name, int64_t number)
{
    struct growing g;

    begin_part(&g, part);
    add_number(&g, name, number);
    part->length = g.used;
}

/* The parts that the segment has; returns which. */
static unsigned word_parts(struct part_text parts[PARTS], const struct segment_record *s)
{
    unsigned has = 1 << SEQ;

    word_number(&parts[SEQ], " seq ", s->seq);
    if (s->has_ack) {
        word_number(&parts[ACK], " ack ", s->ack);
        has |= 1 << ACK;
    }
    if (s->has_ack && s->acks_first > 0) {
        word_acknowledged(&parts[ACKNOWLEDGED], s);
        has |= 1 << ACKNOWLEDGED;
    }
    if (s->payload_len > 0) {
        word_number(&parts[LEN], " len ", s->payload_len);
        has |= 1 << LEN;
    }
    return has;
}

enum { S = 1 << SEQ, A = 1 << ACK, P = 1 << ACKNOWLEDGED, L = 1 << LEN };

void word_row(struct ladder_row *row, const struct segment_record *s)
{
    static const uint8_t of_ack[] = {S | A | P, A | P, S | A, A, 0};
    static const uint8_t of_step[] = {S | A | P, S | A, A, 0};
    static const uint8_t of_data[] = {S | A | P | L, S | A | L, S | L, A | L, L, 0};
    bool data = s->payload_len > 0 || !s->has_ack;
    const uint8_t *wordings = data ? of_data : s->teardown ? of_step : of_ack;
    size_t count = data ? sizeof of_data : s->teardown ? sizeof of_step : sizeof of_ack;
    size_t label = strlen(row->label);
    struct part_text parts[PARTS];
    unsigned has = word_parts(parts, s), last = UINT_MAX;
    char (*text)[LADDER_TEXT_MAX] = row->texts;

    for (size_t i = 0; i < count; i++) {
        unsigned says = wordings[i] & has;
        size_t used = label;

        if (says == last)
            continue;
        memcpy(*text, row->label, label);
        for (enum part p = SEQ; p < PARTS; p++) {
            if (!(says & 1 << p) || used + parts[p].length >= sizeof *text)
                continue;
            memcpy(*text + used, parts[p].text, parts[p].length);
            used += parts[p].length;
        }
        (*text++)[used] = '\0';
        row->ample += (says & P) != 0;
        last = says;
    }
}
