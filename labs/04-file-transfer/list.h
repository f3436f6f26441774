/*
 * list - what is in a folder: NLST, the names alone, for programs; LIST, as
 * `ls -l` has it, for people, whose programs read it too. A list travels as a
 * file does, and its lines end with CR LF. RFC 959, 4.1.3.
 */
#ifndef LIST_H
#define LIST_H

struct session;

void do_list(struct session *session, char *name);
void do_nlst(struct session *session, char *name);

#endif
