// What an sshd does: its client's TCP stream is ciphertext, and what the client works with are channels, which sshd
// makes out of terminals, pipes and sockets after a login. Which of its descriptors are channels is decided here.
//
// Rules
//  1. Nothing is a channel before the login has succeeded: pipes and sockets of that time carry passwords and keys.
//  2. Nothing is a channel that a library of the process makes (PAM, NSS, resolver): only calls of the program itself.
//  3. The proof of a login is the kernel's or PAM's word, not a name somebody asked for: setresuid to a user by a
//     process that holds the connection and has just taken on that user's groups, or pam_open_session. That there was a
//     login, of whomever, is proved too by the monitor's speaking with the client again: from its first fork on it
//     leaves that to a sandboxed child, and only after a root login is it the one that serves.
// All of this was seen in OpenSSH 9.2p1; sshd-session and sshd-auth of 9.8 and later follow the same steps.
//
// State is inherited by fork and ends at exec; the proof is shared by all processes of a login. Only sshd's own,
// single-threaded processes come here.
#pragma once

#include <netinet/in.h>

#include <cstdint>

#include "shim/ring_layout.h"

namespace sidrec {

// In the constructor: is the program `name` an sshd? Learns which code is its own.
void recognise_ssh_host(const char* name);
bool is_ssh_host();
bool ssh_logged_in();
// Whom strict recording must not cut: a login of the rescue group, and who may become one.
bool ssh_is_let_through();

// This process speaks with the client of this connection.
void ssh_serves(uint64_t conn);
// ... and is about to read or write it.
void ssh_speaks();

// After the calls of these names have succeeded. `caller` is where the host called from.
void ssh_made_pipe(const int fds[2], const void* caller);
void ssh_made_pty(int master, const void* caller);
void ssh_connected(int fd, const sockaddr* peer, socklen_t size, const void* caller);
// False: not a channel but a client.
bool ssh_accepted(int listener, int fd, const void* caller);
void ssh_received(int fd);  // by SCM_RIGHTS
void ssh_resized(int fd, const void* window_size);
void ssh_took_groups_of(const char* user, const void* caller);
void ssh_became(uid_t uid, const void* caller);
void ssh_opened_session(const char* user);
void ssh_forks();

// Is what the host is about to write to this terminal to be left out of the trail? By the setting "input", and by
// default while the terminal does not show it.
bool must_mask_input(int pty_master);

}  // namespace sidrec
