"""Labs whose first steps are written and whose other steps are those of the starter."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from workbench import Workbench, run

from labkit.build import PROGRAMS
from labkit.starter.sources import starter_files

WITNESSES = {
    "01-tcp-echo": {
        1: "test_server_says_that_a_name_is_unknown[server]",
        2: "test_server_has_a_socket[server]",
        3: "test_server_says_that_its_port_is_taken[server]",
        4: "test_server_prints_its_start_line[server]",
        5: "test_server_accepts_a_client[server]",
        6: "test_server_goes_on_after_a_silent_client[server]",
        7: "test_server_sends_back_what_comes[server]",
        8: "test_server_closes_each_connection[server]",
        9: "test_server_can_be_started_again_at_once[server]",
        10: "test_server_outlives_a_client_that_does_not_wait[server]",
        11: "test_server_ends_by_a_signal[server-SIGINT]",
        12: "test_client_says_that_a_name_is_unknown",
        13: "test_client_says_that_nobody_listens",
        14: "test_client_waits_for_something_to_do",
        15: "test_client_ends_with_a_silent_server",
        16: "test_client_ends_with_status_1_when_it_is_reset",
        17: "test_client_says_that_stdout_is_full",
        18: "test_client_half_closes_and_reads_on",
        19: "test_client_sends_its_message",
        20: "test_server_serves_others_while_a_client_is_silent[server_fork]",
        21: "test_server_keeps_no_process[server_fork]",
        22: "test_server_ends_with_twenty_clients[server_fork]",
        23: "test_server_serves_others_while_a_client_is_silent[server_thread]",
        24: "test_server_keeps_nothing_of_many_short_connections[server_thread]",
        25: "test_server_accepts_a_client[server_poll]",
        26: "test_server_serves_others_while_a_client_is_silent[server_poll]",
        27: "test_server_outlives_a_reset_while_it_sends[server_poll]",
        28: "test_server_serves_others_while_a_client_never_reads[server_poll]",
        29: "test_closer_serves_ipv6[hello_server]",
        30: "test_closer_takes_more_than_it_asked_for[hello_server]",
        31: "test_closer_serves_ipv6[prompt_server]",
    },
    "02-p2p-chat": {
        1: "test_turn_server_ends_with_a_silent_client",
        2: "test_turns_end_at_the_end_of_stdin[turn_client]",
        3: "test_turn_server_waits_for_what_its_client_says",
        4: "test_turns_print_a_last_line_without_newline[turn_server]",
        5: "test_turns_send_a_line_at_once[turn_server]",
        6: "test_turn_server_ends_without_a_reset",
        7: "test_chat_outlives_sigpipe[server]",
        8: "test_chat_is_idle_after_the_peers_fin[server]",
        9: "test_chat_server_ends_by_a_signal[SIGINT]",
        10: "test_chat_hears_on_after_its_stdin[server]",
        11: "test_chat_half_closes_at_the_end_of_stdin[server]",
        12: "test_chat_server_stops_listening",
    },
    "03-udp": {
        1: "test_server_says_that_its_port_is_taken",
        2: "test_server_takes_what_comes",
        3: "test_server_answers_each_client",
        4: "test_client_sends_nothing_of_an_empty_stdin",
        5: "test_client_says_that_a_host_cannot_be_reached",
        6: "test_client_sends_its_line",
        7: "test_client_sends_again_as_often_as_it_is_told[0]",
        8: "test_client_says_that_nothing_listens[127.0.0.1]",
        9: "test_client_sends_again_as_often_as_it_is_told[5]",
        10: "test_client_prints_each_reply_at_once",
        11: "test_client_understands_a_name",
        12: "test_peer_says_that_a_name_is_unknown",
        13: "test_peer_waits_without_using_the_processor",
        14: "test_peer_sends_what_is_typed_at_once",
        15: "test_peer_takes_what_comes",
        16: "test_peers_talk_both_ways[ipv4]",
    },
    "04-file-transfer": {
        1: "test_send_server_sends_the_file[empty]",
        2: "test_send_server_sends_the_file[a-byte]",
        3: "test_send_server_takes_what_a_client_says",
        4: "test_send_client_leaves_its_folder_for_no_name[in-a-folder]",
        5: "test_send_client_replaces_an_old_file",
        6: "test_server_answers_who_has_not_logged_in",
        7: "test_server_checks_user_and_password",
        8: "test_server_quotes_the_folder_it_is_in",
        9: "test_server_sends_no_device",
        10: "test_server_accepts_an_address_of_its_client_only",
        11: "test_server_sends_files_of_any_size",
        12: "test_server_follows_no_symbolic_link",
        13: "test_server_stores_files_of_any_size",
        14: "test_server_sends_text_with_network_line_ends",
        15: "test_server_lists_for_curl",
        16: "test_server_ends_whatever_its_clients_do",
        17: "test_client_says_that_it_is_not_let_in[greeting]",
        18: "test_client_hears_all_of_a_greeting",
        19: "test_client_lists_names",
        20: "test_client_keeps_no_file_of_a_server_that_has_gone[within-the-file-fin]",
        21: "test_client_puts_a_big_file_to_a_slow_server",
        22: "test_client_takes_lines_of_any_length",
        23: "test_udp_server_refuses_another_mode",
        24: "test_udp_client_fails_where_nothing_listens",
        25: "test_udp_server_answers_one_request_after_the_other",
        26: "test_udp_client_sends_a_file_of_any_size[less-than-a-block]",
        27: "test_udp_client_is_no_sorcerers_apprentice",
        28: "test_udp_client_saves_no_more_of_a_block_than_it_may_have",
        29: "test_udp_client_saves_no_part_after_a_senseless_oack",
        30: "test_udp_client_ignores_strangers[another-port]",
        31: "test_udp_client_takes_windows",
        32: "test_udp_server_writes_with_w_only",
    },
}
"""By lab and step: a graded test that fails as long as the step is missing, though all before it
are written, and passes from then on, though none behind it is."""


class Prefixes:
    """Programs of BENCH's lab as they are when its first steps are written, and no others."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self._objects: dict[tuple[str, str], Path] = {}
        """By the C file's name and its text."""
        self._include = bench.folder("prefixes")

    def build(self, done: int, programs: Sequence[str]) -> Path:
        """A new folder with PROGRAMS, of whose lab the first DONE steps are written."""
        lab = self.bench.lab
        files = starter_files(lab, range(1, done + 1))
        folder = self.bench.folder(f"prefix-{done}-{len(list(self.bench.work.iterdir()))}")
        for name, text in files.items():
            if name.endswith(".h"):
                (self._include / name).write_text(text)
        objects = {name: self._object(name, text) for name, text in files.items()
                   if name.endswith(".c")}
        library = folder / "modules.a"
        run("ar", "rcs", library, *[path for name, path in objects.items()
                                    if name[: -len(".c")] not in PROGRAMS[lab]])
        for program in programs:
            run("cc", "-pthread", "-o", folder / program, objects[f"{program}.c"], library)
        return folder

    def _object(self, name: str, text: str) -> Path:
        """What the text of the C file NAME is compiled to, without a warning."""
        if (name, text) not in self._objects:
            folder = self._include / str(len(self._objects))
            folder.mkdir()
            (folder / name).write_text(text)
            made = folder / name.replace(".c", ".o")
            run("cc", "-std=gnu11", "-O2", "-pthread", "-Wall", "-Wextra", "-Werror",
                f"-iquote{self._include}", "-c", "-o", made, folder / name)
            self._objects[name, text] = made
        return self._objects[name, text]
