/* ladder_draw_arrow.c - a packet's row. See ladder_draw.h. */
#include <string.h>

#include "ladder_draw.h"
#include "ladder_draw_internal.h"

enum { ARROW_DECORATION = 5 /* "- text ->" without the text */ };

static const char lost_word[] = "lost";

/* What an arrow is made of: its texts, and how many columns each part takes. */
struct arrow {
    unsigned wording;
    int length;       /* of that */
    const char *note; /* "" for none */
    int note_length;
    int shaft;        /* dashes between text and head */
    int beyond;       /* columns between a lost one's head and the lane */
};

static int wording_length(const struct ladder_row *row, unsigned wording)
{
    unsigned says = row->wordings->says[wording], parts = says & (LADDER_LABEL - 1);
    size_t length = says & LADDER_LABEL ? row->label_length : 0;

    for (; parts != 0; parts &= parts - 1)
        length += row->parts[__builtin_ctz(parts)].length;
    return (int)length;
}

/* The fullest wording that fits, or the shortest there is. `note`: columns of the note. */
static void choose_wording(struct arrow *a, const struct ladder_row *row, int room, int note)
{
    const struct ladder_wordings *w = row->wordings;

    for (a->wording = 0;; a->wording++) {
        int beside = a->wording < w->ample && note > 0 ? 2 + note : 0;

        a->length = wording_length(row, a->wording);
        if (a->length + beside <= room || a->wording + 1u >= w->count)
            return;
    }
}

static char *write_texts(char *to, const struct style *s, const struct ladder_row *row,
                         const struct arrow *a)
{
    *to++ = ' ';
    to = write_tone(to, s, row->tone);
    to = write_tone(write_wording(to, row, a->wording), s, TONE_PLAIN);
    if (a->note_length > 0) {
        to = stpcpy(to, ", ");
        to = write_text(to, s, TONE_NOTE, a->note, (size_t)a->note_length);
    }
    *to++ = ' ';
    return to;
}

static char *write_shaft(char *to, const struct style *s, enum tone tone, int dashes)
{
    to = write_dashes(write_tone(to, s, tone), dashes, s->utf8);
    return write_tone(to, s, TONE_PLAIN);
}

static char *write_dash(char *to, const struct style *s, enum tone tone)
{
    return write_sign(to, s, tone, "\u2500", '-');
}

static char *write_head(char *to, const struct style *s, const struct ladder_row *row)
{
    if (row->lost)
        return write_sign(to, s, row->tone, "\u2573", 'x');
    if (row->to_server)
        return write_sign(to, s, row->tone, "\u25ba", '>');
    return write_sign(to, s, row->tone, "\u25c4", '<');
}

/* The word behind a lost one's head, and the way that it did not go. */
static char *write_beyond(char *to, const struct style *s, const struct ladder_row *row,
                          int columns)
{
    int word = (int)sizeof lost_word - 1, gap = columns - word - 1;

    if (!row->lost)
        return to;
    to = write_spaces(to, row->to_server ? 1 : gap);
    to = write_text(to, s, row->tone, lost_word, (size_t)word);
    return write_spaces(to, row->to_server ? gap : 1);
}

static char *write_arrow(char *to, const struct style *s, const struct ladder_row *row,
                         const struct arrow *a)
{
    if (row->to_server) {
        to = write_dash(to, s, row->tone);
        to = write_texts(to, s, row, a);
        to = write_shaft(to, s, row->tone, a->shaft);
        to = write_head(to, s, row);
        return write_beyond(to, s, row, a->beyond);
    }
    to = write_beyond(to, s, row, a->beyond);
    to = write_head(to, s, row);
    to = write_shaft(to, s, row->tone, a->shaft);
    to = write_texts(to, s, row, a);
    return write_dash(to, s, row->tone);
}

/* A lost packet's arrow ends in the middle, or where its text ends. */
static void measure(const struct ladder_row *row, struct arrow *a, int area)
{
    int texts = a->length + (a->note_length > 0 ? 2 + a->note_length : 0), length = area;

    if (row->lost) {
        length = texts + ARROW_DECORATION > area / 2 ? texts + ARROW_DECORATION : area / 2;
        a->beyond = area - length;
    }
    a->shaft = length - texts - ARROW_DECORATION + 1;
}

void ladder_arrow(const struct style *s, const struct ladder_row *row)
{
    int area = area_of(s);
    int room = area - ARROW_DECORATION - (row->lost ? (int)sizeof lost_word : 0);
    int note = *row->note != '\0' ? (int)strlen(row->note) : 0;
    struct arrow arrow = {.note = row->note};
    bool inside;
    char *to;

    choose_wording(&arrow, row, room, note);
    inside = arrow.length + 2 + note <= room;
    arrow.note_length = inside ? note : 0;
    measure(row, &arrow, area);
    to = write_left(out_room(ROW_ROOM), s, row->number, &row->time, row->state[0], LANE_WHOLE);
    to = write_arrow(to, s, row, &arrow);
    out_until(write_right(to, s, row->state[1], LANE_WHOLE));
    if (note > 0 && !inside)
        ladder_remark(s, row->to_server, TONE_NOTE, row->note);
    if (!has_states(s))
        states_beneath(s, row->state);
}
