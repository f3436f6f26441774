"""Faults of any program that uses sockets: labs 01 to 03, and what all have in common."""

from __future__ import annotations

from labkit.causes.cause import Cause

OF_SOCKETS = {
    "address-in-use": Cause(
        "The port is taken, and the program does not say so, or does not end then. With "
        "SO_REUSEPORT, and with SO_REUSEADDR for UDP, two programs can have one port, and each "
        "gets a part of what comes.",
        "bind(2), EADDRINUSE; socket(7), SO_REUSEADDR",
    ),
    "busy-wait": Cause(
        "The program asks again and again instead of waiting: a loop around a call that returns "
        "at once (a non-blocking descriptor, a timeout of 0, an end of file that is still polled).",
        "poll(2); fcntl(2), O_NONBLOCK",
    ),
    "byte-order": Cause(
        "The port (or address) is not in network byte order: 4321 is 0x10e1, and with its two "
        "bytes swapped it is 57616. htons() and htonl() turn a number into the order of the wire.",
        "htons(3), byteorder(3); ip(7), sockaddr_in; RFC 791 appendix B",
    ),
    "c-string": Cause(
        "The data is handled as a C string (strlen, strcpy, %s, fputs): it is cut at the first NUL "
        "byte, or goes on behind its end. Only the number that recv() returned tells how many "
        "bytes there are.",
        "recv(2), RETURN VALUE; string(3)",
    ),
    "closes-both": Cause(
        "The program closes both directions at once (close, exit, or SHUT_RDWR) while the other "
        "side still has something to say. What was on its way is lost.",
        "shutdown(2), SHUT_WR; RFC 9293 section 3.6, half-close",
    ),
    "connected-peer": Cause(
        "Only one sender is heard: the socket is connected, or other senders are thrown away. A "
        "peer prints what anyone sends to it.",
        "connect(2) on SOCK_DGRAM; udp(7)",
    ),
    "connection-refused": Cause(
        "Nothing listens where the client connects to: the server ended, or closed its listening "
        "socket, or listens elsewhere.",
        "connect(2), ECONNREFUSED; listen(2); RFC 9293 section 3.5.2",
    ),
    "content-not-compared": Cause(
        "Whatever comes from the server is taken for the reply. Only a datagram of the same length "
        "and with the same bytes answers this line; another one is to be ignored, and the wait "
        "for the right one goes on.",
        "recv(2), RETURN VALUE; memcmp(3); RFC 768",
    ),
    "crash": Cause(
        "The program crashed: it used memory that is not its own (a NULL pointer, the end of an "
        "array, a pointer that was freed), divided by 0, or found its own heap damaged. Build it "
        "with -g -fsanitize=address,undefined, and the first fault is told with its line.",
        "signal(7), SIGSEGV and SIGABRT; gcc(1), -fsanitize=address; core(5)",
    ),
    "cut-datagram": Cause(
        "A datagram, or a line, is cut: the buffer is too small for it. What does not fit into the "
        "buffer of one recvfrom() is thrown away without a word; a datagram can have 65,507 bytes "
        "over IPv4, and a line that is longer must not be sent at all.",
        "recv(2), MSG_TRUNC; udp(7); RFC 768",
    ),
    "deadlock": Cause(
        "Both sides wait for each other: the program sends everything before it reads anything. "
        "Once all buffers are full, send() blocks for ever. It must read while it still sends.",
        "poll(2); tcp(7), socket buffers; RFC 9293 section 3.8.6, the window",
    ),
    "descriptor-leak": Cause(
        "A descriptor is never closed: each client, or each line, costs one more. And without the "
        "last close() of a connection no FIN is sent, and the other side waits for an end of file "
        "that never comes.",
        "close(2); fork(2) on shared descriptors; RFC 9293 section 3.6",
    ),
    "dotted-only": Cause(
        "Only dotted addresses are understood (inet_addr, inet_aton, inet_pton). A name such as "
        "localhost needs getaddrinfo(), which takes both.",
        "getaddrinfo(3)",
    ),
    "ended-early": Cause(
        "The program ended before it had done its work: a call failed and it gave up, or it came "
        "to the end of main() too soon. Its last line on stderr tells why, if it says anything.",
        "errno(3); perror(3); exit(3)",
    ),
    "early-fin": Cause(
        "The program half-closes before it has sent everything: after shutdown(fd, SHUT_WR) the "
        "FIN is the last that goes out, and send() fails with EPIPE. First send all that there "
        "is, up to the end of the input.",
        "shutdown(2), SHUT_WR; send(2), EPIPE; RFC 9293 section 3.6",
    ),
    "eintr": Cause(
        "A call that a signal interrupted (-1 with errno EINTR) is taken for an error or an end of "
        "file. Nothing is lost then: the call is to be made again.",
        "signal(7), interruption of system calls; recv(2), EINTR",
    ),
    "empty-datagram": Cause(
        "An empty datagram is passed over, or taken for an end of file: recvfrom() returns 0 then, "
        "and nothing has ended. It is a message like any other, of 0 bytes, and an empty line is "
        "one.",
        "recv(2), RETURN VALUE, zero-length datagrams; udp(7); RFC 768",
    ),
    "exit-status": Cause(
        "The exit status is not the agreed one: 0 for success, 1 for an error (with a line on "
        "stderr), 2 for wrong usage. A program that a signal ended has none.",
        "exit(3); wait(2)",
    ),
    "first-closer": Cause(
        "The wrong side closes first. The side that sends the first FIN is the one that stays in "
        "TIME-WAIT; the lab's table says which one that is.",
        "shutdown(2); RFC 9293 section 3.6 and figure 12",
    ),
    "first-address-only": Cause(
        "Only the first address of a name is tried. localhost may have two, ::1 and 127.0.0.1: "
        "where one does not answer, the next is to be tried, with a new socket.",
        "getaddrinfo(3), ai_next; connect(2)",
    ),
    "fixed-length": Cause(
        "A fixed number of bytes is sent (sizeof of the buffer, or its whole size) instead of as "
        "many as were read. The rest is what lay in the buffer before.",
        "recv(2), RETURN VALUE; send(2), len",
    ),
    "format-string": Cause(
        "What comes from outside is used as a format: printf() takes a % in it for a conversion, "
        "prints what lies in memory, and with %n even writes there. Print bytes with fwrite(), "
        "or text with \"%s\".",
        "printf(3), BUGS; fwrite(3)",
    ),
    "idle-client-blocks": Cause(
        "A client that says nothing keeps the others waiting: while the program waits in one "
        "client's recv() it serves nobody else.",
        "poll(2); fork(2); pthreads(7)",
    ),
    "keeps-listening": Cause(
        "The server still listens although it has the one peer it wants: the kernel goes on "
        "connecting others, who then wait for ever. Close the listening socket after accept().",
        "listen(2), backlog; close(2); tcp(7)",
    ),
    "late-duplicate": Cause(
        "A late copy of an earlier reply is taken for the answer to a later line. A line that was "
        "sent twice may be answered twice, and where two lines are the same, their bytes cannot "
        "tell whose reply it is; the port it comes to can.",
        "socket(2), bind(2): a socket, and so a port, for each line; RFC 768",
    ),
    "left-over-process": Cause(
        "The program has ended, but processes that it started are still there.",
        "kill(2); waitpid(2)",
    ),
    "left-over-thread": Cause(
        "Threads that served clients are still there after those have gone: a thread must end, and "
        "be joined or detached, or each client costs one more for good.",
        "pthread_create(3); pthread_detach(3); pthread_join(3)",
    ),
    "lines-kept-back": Cause(
        "Of lines that came together only the first is sent at once, the others when something new "
        "comes: stdio, or a buffer of the program's own, had read ahead, and poll() knows only "
        "what is still in the kernel. Send every whole line that is there before waiting again.",
        "poll(2); setbuf(3); read(2)",
    ),
    "lines-lost": Cause(
        "The last lines are lost: the program ended, or closed, before it had passed on everything "
        "that it had taken in. What one side says last may still be on its way when the other's "
        "end of file comes.",
        "recv(2), RETURN VALUE 0; exit(3) and _exit(2), stdio buffers; RFC 9293 section 3.6",
    ),
    "lines-mixed": Cause(
        "A line arrives in parts, or with another one in its middle: two processes, threads or "
        "buffers write to the same place in turns. One writer, or one write() for each line, keeps "
        "lines whole.",
        "write(2); pipe(7), PIPE_BUF; stdio(3), buffers after fork(2)",
    ),
    "linger-rst": Cause(
        "The connection is cut by a reset although everything was read: SO_LINGER with a time of "
        "0 makes close() send RST in place of FIN, and what was still to be sent is thrown away.",
        "socket(7), SO_LINGER; RFC 9293 section 3.6",
    ),
    "lookup-error": Cause(
        "That the name cannot be looked up is not told: getaddrinfo() returns a number other "
        "than 0 then, leaves its list unset, and gai_strerror() says why.",
        "getaddrinfo(3), RETURN VALUE; gai_strerror(3)",
    ),
    "memory-grows": Cause(
        "Memory grows with every byte for a client that does not read: what cannot be sent is kept "
        "without a bound. Read no more from a client while much is waiting to be sent to it; TCP's "
        "window then slows it down.",
        "poll(2), POLLOUT; RFC 9293 section 3.8.6, the window",
    ),
    "messages": Cause(
        "What the program prints or sends is not, character for character, what the lab's table "
        "says.",
        "the handout's section 'Goal'",
    ),
    "no-answer": Cause(
        "Nothing is sent, as if nothing had come: send() is not called with what recv() gave, or "
        "the program waits for more (a full buffer, a certain number of bytes, the end of file) "
        "although it should pass on what there is.",
        "recv(2), RETURN VALUE and MSG_WAITALL; fread(3)",
    ),
    "no-half-close": Cause(
        "At the end of its input the program does not tell the other side. shutdown(fd, SHUT_WR) "
        "sends the FIN and leaves the way back open.",
        "shutdown(2), SHUT_WR; RFC 9293 section 3.6",
    ),
    "no-ipv6": Cause(
        "Only IPv4 works. The family must not be fixed to AF_INET: take it from what getaddrinfo() "
        "found (AF_UNSPEC), and try each of its addresses in turn.",
        "getaddrinfo(3); ipv6(7)",
    ),
    "no-packets": Cause(
        "No packet of it was on the wire: the program never connected, or never sent, or it ended "
        "before, or it only looks as if it used the network.",
        "connect(2); send(2); socket(2)",
    ),
    "no-retransmission": Cause(
        "A line whose reply does not come is not sent again. UDP repeats nothing: when the wait is "
        "over, the program itself has to send the same datagram once more.",
        "poll(2), timeout; udp(7); RFC 1122 section 4.1.1",
    ),
    "no-reuseaddr": Cause(
        "The server cannot be started again at once: the old connection is still in TIME-WAIT and "
        "holds the port. SO_REUSEADDR, set before bind(), allows it.",
        "socket(7), SO_REUSEADDR; RFC 9293 section 3.6.1, TIME-WAIT",
    ),
    "no-timeout": Cause(
        "The program waits for a reply that will never come: a datagram may be lost, and recv() "
        "alone waits for ever. The wait needs an end.",
        "poll(2), timeout; socket(7), SO_RCVTIMEO",
    ),
    "not-accepted": Cause(
        "The client waits in the kernel's queue: the kernel has answered its SYN and connected it, "
        "but accept(), which takes it out of there, is not called, or fails.",
        "accept(2); listen(2), backlog",
    ),
    "not-bound": Cause(
        "There is no UDP socket at the port where the others send to: socket() and bind() must "
        "have succeeded, and the program must not have ended.",
        "bind(2); udp(7)",
    ),
    "not-built": Cause(
        "make did not build the program; the compiler's message is above. Correct the first error "
        "first: later ones often follow from it.",
        "gcc(1), -Wall -Wextra; make(1)",
    ),
    "not-listening": Cause(
        "The server never listens: socket(), bind() and listen() must all have succeeded, in this "
        "order, and the program must not have ended.",
        "listen(2); bind(2); tcp(7)",
    ),
    "not-one-datagram": Cause(
        "A message is split over several datagrams, or several are in one. UDP keeps each send() "
        "apart: one line is one send(), whole, whatever pieces read() gave it in.",
        "send(2); udp(7); RFC 768",
    ),
    "not-taken": Cause(
        "More is handed in than a lab can need, and nothing of it was taken or built. Hand in the "
        "C files, their headers and a Makefile, if there is one of your own; no results, "
        "recordings or folders of tools.",
        "the handout's section 'Steps'",
    ),
    "not-written-yet": Cause(
        "A step is not written yet. What comes after it cannot be judged before it is there.",
        "the handout's section 'Steps'",
    ),
    "one-client-only": Cause(
        "Only one client is ever served: accept() is called once, or the listening socket is "
        "closed, or the program ends after its first client. accept() belongs into a loop; over "
        "UDP, a socket that is connected to one client hears no other.",
        "accept(2); listen(2), backlog; connect(2) on SOCK_DGRAM",
    ),
    "other": Cause(
        "The evidence does not decide: how the programs ended, what they said, their last calls "
        "and the packets fit more than one fault. Compare the trace of this test with the "
        "handout's ladder.",
        "the handout's section 'On the wire'",
    ),
    "out-of-descriptors": Cause(
        "With every descriptor in use accept() fails with EMFILE, and the program ends, stops "
        "serving, or asks again at once for ever. The clients it has must go on; who waits is "
        "served when one of them has gone.",
        "accept(2), EMFILE; getrlimit(2), RLIMIT_NOFILE",
    ),
    "out-of-turn": Cause(
        "A side speaks, or prints, when it is not its turn: a line is sent before the other side's "
        "line has come, or more than one in a turn.",
        "the handout's section 'Goal'; read(2), one line at a time",
    ),
    "own-timeout": Cause(
        "The program has a time limit of its own, and gives up a peer that only says nothing for a "
        "while. A peer may be silent for as long as it likes; and when the network loses packets "
        "TCP sends them again, which a program that goes on waiting never notices.",
        "tcp(7), tcp_syn_retries and tcp_retries2; socket(7), SO_RCVTIMEO, SO_SNDTIMEO; RFC 6298",
    ),
    "partial-write": Cause(
        "send() or write() took only a part of the data, and the rest was never sent. Each returns "
        "how many bytes it took: go on from there until all are gone.",
        "send(2), write(2), RETURN VALUE",
    ),
    "program-missing": Cause(
        "The submission has no source for this program, or its Makefile does not make it under "
        "this name, in the top folder.",
        "the handout's section 'Steps'; make(1)",
    ),
    "refusal-ends-peer": Cause(
        "That nobody is at the other port (ICMP, port unreachable) ends the program. A peer may be "
        "started before the other one: what is sent until then is lost, and it goes on.",
        "udp(7), ECONNREFUSED; RFC 1122 section 4.1.3.3",
    ),
    "reply-from-elsewhere": Cause(
        "The reply does not come from where the request went to: it was sent with another socket. "
        "A client takes it for a stranger's. Answer with the socket that received.",
        "sendto(2); bind(2); udp(7)",
    ),
    "reset-ends-server": Cause(
        "A client's reset ends the whole server: ECONNRESET from recv() or send() is the end of "
        "that one connection. Close it, and serve the next client.",
        "recv(2), ECONNRESET; RFC 9293 section 3.5.3",
    ),
    "shared-descriptor": Cause(
        "The FIN is missing although a process has called close(): after fork() another process "
        "still holds the same socket, and only the last close() ends the connection. "
        "shutdown(fd, SHUT_WR) sends the FIN at once, whoever else holds it.",
        "shutdown(2); close(2); fork(2) on open file descriptions",
    ),
    "sigpipe": Cause(
        "The program was ended by SIGPIPE: it sent to a connection that the other side had closed. "
        "With the signal ignored, or MSG_NOSIGNAL, send() fails with EPIPE instead.",
        "send(2), MSG_NOSIGNAL and EPIPE; signal(7), SIGPIPE",
    ),
    "single-read": Cause(
        "One read only, and no loop: TCP is a stream of bytes, and one recv() gives what is there, "
        "be it a part of a message or several. Read until recv() returns 0.",
        "recv(2), RETURN VALUE; tcp(7); RFC 9293 section 2.2",
    ),
    "slow-end": Cause(
        "The program does not end when it should: it still waits for something, or ignores the "
        "signal.",
        "signal(7); sigaction(2), SA_RESTART; recv(2), end of file",
    ),
    "stdout-not-flushed": Cause(
        "The line stays in stdio's buffer: into a pipe or a file, stdout is written only when the "
        "buffer is full. Flush after each line.",
        "stdout(3), NOTES; fflush(3); setvbuf(3)",
    ),
    "stranger-accepted": Cause(
        "A datagram from someone else is taken for the server's reply: to a UDP socket anybody can "
        "send. connect() makes the kernel pass on what comes from that address and port alone; "
        "else the sender that recvfrom() tells is to be compared.",
        "connect(2) on SOCK_DGRAM; recvfrom(2), src_addr; udp(7)",
    ),
    "flood": Cause(
        "A program sends on and on. A loop that sends has to wait for something in each round: "
        "for a line, for a reply, for the end of a time.",
        "poll(2); RFC 8085 section 3.1",
    ),
    "surplus-datagrams": Cause(
        "More datagrams were sent than there should be: one twice, or one that nobody asked for. "
        "UDP passes on each of them, as it is, and the other side has to make sense of it.",
        "sendto(2); udp(7)",
    ),
    "tcp-not-udp": Cause(
        "The socket is a TCP one (SOCK_STREAM), or is used like one (listen, accept); this lab "
        "wants UDP (SOCK_DGRAM), which has no connections.",
        "socket(2); udp(7)",
    ),
    "timeout-restarted": Cause(
        "The wait begins anew with each datagram that comes, be it the wrong one: whoever sends "
        "often enough keeps the program waiting for ever. The end of the wait is a point in time; "
        "only what is left until then is to be waited.",
        "poll(2), timeout; clock_gettime(2), CLOCK_MONOTONIC",
    ),
    "too-few-clients": Cause(
        "Only so many clients are served at once: a table of fixed size, a pool of workers or an "
        "fd_set (FD_SETSIZE) is full, and the next client waits or is sent away.",
        "select(2), FD_SETSIZE; epoll(7); getrlimit(2), RLIMIT_NOFILE",
    ),
    "udp-not-tcp": Cause(
        "The socket is a UDP one (SOCK_DGRAM); this lab wants TCP (SOCK_STREAM).",
        "socket(2); tcp(7)",
    ),
    "unconnected-socket": Cause(
        "That nothing listens there is not noticed. The host says so at once (ICMP, port "
        "unreachable), but the kernel tells it only to a socket that is connected to that address: "
        "its next call fails with ECONNREFUSED.",
        "connect(2) on SOCK_DGRAM; udp(7), ECONNREFUSED; RFC 1122 section 4.1.3.3",
    ),
    "unreachable-ends-server": Cause(
        "A client that has gone before its reply came ends the server, or its service: the ICMP "
        "message 'port unreachable', or an error of sendto(), is about that one datagram. Go on "
        "with the next.",
        "udp(7), ERRORS; sendto(2); RFC 1122 section 4.1.3.3",
    ),
    "unread-input-rst": Cause(
        "The connection was closed while bytes that had arrived were still unread. close() then "
        "sends RST, not FIN, and the other side may lose what it had not read yet. Read up to the "
        "end of file first.",
        "close(2); RFC 2525 section 2.17; RFC 9293 section 3.6.1",
    ),
    "usage": Cause(
        "A wrong command line must give one line 'usage: ...' on stderr, nothing on stdout, and "
        "exit status 2. strtol() alone takes '80x', ' 80' and '-1'.",
        "getopt(3); strtol(3), endptr",
    ),
    "waits-for-ever": Cause(
        "After its own FIN the server waits for the client's without a limit, or begins to count "
        "anew with each byte that comes: whoever never closes keeps it busy for good.",
        "poll(2), timeout; clock_gettime(2); tcp(7)",
    ),
    "waits-for-one": Cause(
        "While the program waits for one thing it is deaf to all others: it reads stdin (a line "
        "that has no end yet, perhaps) while the network has something for it, or the other way "
        "round. Wait for both at once, or in two processes or threads. select() wants the highest "
        "descriptor plus 1, and its sets filled anew before each call.",
        "poll(2); select(2); pthreads(7); fork(2); stdio(3), buffers",
    ),
    "wrong-address": Cause(
        "Another address than the one asked for: 127.0.0.1 is the host alone, 0.0.0.0 every "
        "address it has, open to the network.",
        "bind(2); ip(7), INADDR_LOOPBACK and INADDR_ANY; getopt(3)",
    ),
    "wrong-descriptor": Cause(
        "A call is made with another descriptor than the connection's: with the listening socket, "
        "or with one that is closed already. accept() returns a new descriptor for each client; "
        "send() and recv() want that one.",
        "accept(2), RETURN VALUE; send(2), EBADF, ENOTCONN and EPIPE",
    ),
    "wrong-port": Cause(
        "Another port than the one asked for: is -p obeyed, and the default the one of the table?",
        "bind(2); connect(2); getopt(3)",
    ),
    "wrong-receiver": Cause(
        "The reply goes to the wrong client: to the first one, the last one, or a fixed address. "
        "Each datagram brings its own sender, and recvfrom() must be told anew, before each call, "
        "how long the address may be.",
        "recvfrom(2), src_addr and addrlen; sendto(2)",
    ),
    "wrong-retries": Cause(
        "The line is not sent as often as it should be: once, and then again up to -r times (3 "
        "without the option), counted anew for each line, and only when the wait for its reply is "
        "over.",
        "the handout's section 'Goal'; getopt(3)",
    ),
    "wrong-timeout": Cause(
        "The wait for a reply is not as long as it should be: -t counts in milliseconds, 500 "
        "without the option, from each sending on.",
        "poll(2), timeout; setsockopt(2), struct timeval; getopt(3)",
    ),
    "zombie-children": Cause(
        "Child processes stay when their clients have gone: as zombies, when they have ended and "
        "nobody waits for them, or because they never end.",
        "waitpid(2), NOTES; sigaction(2), SIGCHLD",
    ),
}
"""By short key."""
