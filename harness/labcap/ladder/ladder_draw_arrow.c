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

/* ---- What is the same in all arrows of a tone ---- */

/* Copied as a ladder_word is. */
struct arrow_piece {
    char text[31];
    uint8_t length;
};

#define PIECE(literal) {literal, sizeof(literal) - 1}

/* From left to right: `first`, shaft or texts, `between`, the other one, `last`. */
struct arrow_pieces {
    struct arrow_piece first, between, last;
};

enum { NO_TONE = TONE_CALL + 1, TONES };

/* What they begin and end with are escape sequences. */
#define TO_CLIENT(begin, end, dash, head) \
    {PIECE(begin head end begin), PIECE(end " " begin), PIECE(end " " begin dash end)}
#define TO_SERVER(begin, end, dash, head) \
    {PIECE(begin dash end " " begin), PIECE(end " " begin), PIECE(end begin head end)}
#define TONED(begin, end, dash, client, server, lost) \
    {{TO_CLIENT(begin, end, dash, client), TO_CLIENT(begin, end, dash, lost)}, \
     {TO_SERVER(begin, end, dash, server), TO_SERVER(begin, end, dash, lost)}}
#define ASCII(begin, end) TONED(begin, end, "-", "<", ">", "x")
#define UTF8(begin, end) TONED(begin, end, "\u2500", "\u25c4", "\u25ba", "\u2573")
#define ALL_TONES(signs) \
    {[TONE_PLAIN] = signs(CODE_PLAIN, CODE_PLAIN), [TONE_OPEN] = signs(CODE_OPEN, CODE_PLAIN), \
     [TONE_DATA] = signs(CODE_DATA, CODE_PLAIN), [TONE_CLOSE] = signs(CODE_CLOSE, CODE_PLAIN), \
     [TONE_BAD] = signs(CODE_BAD, CODE_PLAIN), [TONE_NOTE] = signs(CODE_NOTE, CODE_PLAIN), \
     [TONE_QUIET] = signs(CODE_QUIET, CODE_PLAIN), [TONE_CALL] = signs(CODE_CALL, CODE_PLAIN), \
     [NO_TONE] = signs("", "")}

/* By: in UTF-8, tone, to the server, lost. */
static const struct arrow_pieces all_pieces[2][TONES][2][2] = {ALL_TONES(ASCII), ALL_TONES(UTF8)};

/* Not inlined: the address would be computed for each piece of them. */
__attribute__((noinline)) static const struct arrow_pieces *pieces_of(const struct style *s,
                                                                      const struct ladder_row *row)
{
    return &all_pieces[s->utf8][s->color ? row->tone : NO_TONE][row->to_server][row->lost];
}

static inline char *write_piece(char *to, const struct arrow_piece *piece)
{
    memcpy(to, piece, sizeof *piece);
    return to + piece->length;
}

/* ---- Words ---- */

/* The sum of all octets is the highest one of the product. */
static inline int wording_length(const struct ladder_row *row, unsigned wording)
{
    return (int)((row->lengths & row->wordings->says[wording]) * 0x0101010101010101 >> 56);
}

/* The fullest wording that fits, or the shortest there is. `note`: columns of the note. */
static inline void choose_wording(struct arrow *a, const struct ladder_row *row, int room,
                                  int note)
{
    const struct ladder_wordings *w = row->wordings;

    for (a->wording = 0;; a->wording++) {
        bool ample = (row->lengths & w->says[a->wording] & w->ample) != 0;
        int beside = ample && note > 0 ? 2 + note : 0;

        a->length = wording_length(row, a->wording);
        if (a->length + beside <= room || a->wording + 1u >= w->count)
            return;
    }
}

/* The tone of the last one goes on: it ends with the next piece. */
static inline char *write_texts(char *to, const struct style *s, const struct ladder_row *row,
                                const struct arrow *a)
{
    to = write_wording(to, row, a->wording);
    if (a->note_length == 0)
        return to;
    to = stpcpy(write_tone(to, s, TONE_PLAIN), ", ");
    to = write_tone(to, s, TONE_NOTE);
    memcpy(to, a->note, (size_t)a->note_length);
    return to + a->note_length;
}

/* ---- The row ---- */

/* The word behind a lost one's head, and the way that it did not go. */
static char *write_beyond(char *to, const struct style *s, const struct ladder_row *row,
                          int columns)
{
    int word = (int)sizeof lost_word - 1, gap = columns - word - 1;

    to = write_spaces(to, row->to_server ? 1 : gap);
    to = write_text(to, s, row->tone, lost_word, (size_t)word);
    return write_spaces(to, row->to_server ? gap : 1);
}

static inline char *write_arrow(char *to, const struct style *s, const struct ladder_row *row,
                                const struct arrow *a)
{
    const struct arrow_pieces *pieces = pieces_of(s, row);

    if (row->to_server) {
        to = write_texts(write_piece(to, &pieces->first), s, row, a);
        to = write_dashes(write_piece(to, &pieces->between), a->shaft, s->utf8);
        to = write_piece(to, &pieces->last);
        return row->lost ? write_beyond(to, s, row, a->beyond) : to;
    }
    if (row->lost)
        to = write_beyond(to, s, row, a->beyond);
    to = write_dashes(write_piece(to, &pieces->first), a->shaft, s->utf8);
    to = write_texts(write_piece(to, &pieces->between), s, row, a);
    return write_piece(to, &pieces->last);
}

/* A lost packet's arrow ends in the middle, or where its text ends. */
static inline void measure(const struct ladder_row *row, struct arrow *a, int area)
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
