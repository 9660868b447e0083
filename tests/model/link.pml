/* The link as a model that spin checks exhaustively: recorders of one SID, who may die at every step and come back.

   docs/link-protocol.md is the authority; the names are its names, and model_test.py holds the two to each other.
   Each `atomic` is one step of a program: between any two of them anybody may be killed. Time is not modelled: what a
   timer does may happen at any moment, so that no pause, linger or patience is relied upon for safety.

   Checked: assertions (one master, every record once and in the order of its lane, nothing freed before it is in the
   trail, S8, credit), no invalid end state (nobody waits for ever), and what init asserts of the end. */

#ifndef RECORDERS
#define RECORDERS 2     /* each with a host and a ring */
#endif
#ifndef RECORDS
#define RECORDS 2       /* of the first host, the others have one; each is a connection, BYE may follow it */
#endif
#define RECORDS_OF(who) ((who) == 0 -> RECORDS : 1)
#ifndef CRASHES
#define CRASHES 2       /* of any recorders, at any steps */
#endif
#ifndef REFUSALS
#define REFUSALS 1      /* of any slave, at any step: a connection ends and both ends live */
#endif
#ifndef QUEUE
#define QUEUE 1         /* records in the waiting queue */
#endif
#ifndef RETRIES
#define RETRIES 1       /* of REQUEST after WAIT, in one connection: more often changes nothing */
#endif
#ifndef SLOTS
#define SLOTS 2         /* connections a recorder has at a time: the last one its master may not have closed yet */
#endif
#define CONNECTIONS (RECORDERS * SLOTS)
#define NOBODY RECORDERS
#define NONE CONNECTIONS

mtype:message = { HELLO, WELCOME, REFUSE, REQUEST, PASS, WAIT, DATA, COMMIT, BYE, BYE_ACK };
mtype:step = { kNone, kConnect, kSendHello, kLock, kBind, kMaster, kSlave, kPause };   /* link/election.h */
mtype:link = { kNew, kGreeted, kMember, kLeaving };                                    /* link/messages.h */
mtype:flow = { kIdle, kAsked, kWaiting, kPassed };                                     /* link/slave_flow.h */

/* --- what outlives every recorder */

byte produced[RECORDERS];            /* the ring: written by the host up to here, */
byte freed[RECORDERS];               /* and its room given back up to here */
byte noted[RECORDERS];               /* the journal beside it: the sessions it has been in, as bits */
byte trail[RECORDERS * RECORDS];     /* the store: the session in which a record is written; 0: in none */
byte session;                        /* its newest trail file, */
byte epoch;                          /* the master who writes it, counted from 1, */
bool unfinished;                     /* and whether it lacks its session.end */

#define RECORD(who, pos) ((who) * RECORDS + (pos) - 1)
#define BIT(number) (1 << (number))

/* --- what the kernel holds, and gives back when a process ends */

byte lock = NOBODY;                  /* on the SID's directory */
byte listener = NOBODY;              /* at the socket's path */
typedef Connection {
  bool slave_end, master_end;        /* open */
  mtype:link slave, master;          /* LinkState, as each end sees it */
  /* the master's WaitingQueue and Ordering */
  byte credit, wanted;
  bit request;
  byte held;                         /* records taken and not released, */
  byte last;                         /* the youngest of them */
  bool asks;                         /* HELLO did */
  bool owes_bye_ack;
}
Connection at[CONNECTIONS];
chan to_master[CONNECTIONS] = [2] of { mtype:message, byte, bit };
chan to_slave[CONNECTIONS] = [2] of { mtype:message, byte, bit };

/* --- a recorder's memory: main/role.h, link/slave_flow.h */

bool dead[RECORDERS];
mtype:step step[RECORDERS];
byte known[RECORDERS];               /* session, 0: none */
byte committed[RECORDERS];           /* known to be in the store: may be freed */
byte sent[RECORDERS];
byte mine[RECORDERS];                /* connection to the master */
byte newest[RECORDERS];              /* that the recorder, or one before it, has made */
mtype:flow flow[RECORDERS];
byte credit[RECORDERS];
bit request[RECORDERS];              /* its number: of two that can be under way, which */
byte retries[RECORDERS];

/* --- the master's memory: main/master.h, main/master_session.h, link/ledger.h. One, as there is one master. */

byte masters;
bool open;                           /* MasterSession is kOpen; else kDeciding */
bool ending;
byte its_epoch;
byte ledger[RECORDERS];              /* what of each recorder is in the trail or in `pending` */
bool owes[RECORDERS];                /* a COMMIT */
byte reader[RECORDERS];              /* the connection it goes to */
byte taken;                          /* of the waiting queue: held, and credit, of all */
chan pending = [1] of { byte, byte };   /* lines that are not written yet */

/* --- what may go wrong */

byte crashes, refusals;
byte ended;                          /* recorders with nothing left to do */

/* --- sentences */

#define is_idle(me) (committed[me] == produced[me])
#define session_is_orphaned(me) (unfinished && known[me] == session)
#define is_free(c) (!at[c].slave_end && !at[c].master_end && at[c].held == 0)
#define has_room(me) (is_free((me) * SLOTS) || is_free((me) * SLOTS + SLOTS - 1))
/* S8: a slave whose BYE is not answered; and what a slave has left behind. For six connections or fewer. */
#define is_at_work(c) (at[(c) % CONNECTIONS].master_end && \
                       (at[(c) % CONNECTIONS].master != kLeaving || at[(c) % CONNECTIONS].owes_bye_ack))
#define is_left(c) (is_at_work(c) || at[(c) % CONNECTIONS].held > 0)
#ifdef MISTAKE_ENDS_WITH_SLAVES_AT_WORK
#define may_end true
#else
#define may_end (!is_left(0) && !is_left(1) && !is_left(2) && !is_left(3) && !is_left(4) && !is_left(5))
#endif

inline flush(channel) {
  do
  :: nempty(channel) -> channel?_, _, _
  :: empty(channel) -> break
  od
}

/* The youngest record of `who` in those sessions: Trail's watermarks. */
inline scan(who, sessions, found) {
  found = 0;
  for (i : 1 .. RECORDS) {
    if
    :: trail[RECORD(who, i)] != 0 && (sessions & BIT(trail[RECORD(who, i)])) -> found = i
    :: else
    fi
  }
  i = 0
}

/* What of ours a session holds that has ended without our hearing of it (Role::forget_what_is_stored). */
inline look_into(me, sessions) {
#ifndef MISTAKE_ENDED_SESSIONS_NOT_LOOKED_INTO
  scan(me, sessions, j);
  committed[me] = (j > committed[me] -> j : committed[me]);
  sent[me] = (sent[me] < committed[me] -> committed[me] : sent[me]);
  j = 0
#else
  skip
#endif
}

inline know(me, which) {
  known[me] = which;
  noted[me] = noted[me] | BIT(which)
}

/* SlaveFlow::on_master_lost, and the end of the connection at the slave's end. */
inline lose_master(me) {
  if
  :: mine[me] != NONE ->
     at[mine[me]].slave_end = false;
     newest[me] = (at[mine[me]].master_end -> newest[me] : NONE);
     at[mine[me]].slave = kNew;
     flush(to_slave[mine[me]]);
     if
     :: !at[mine[me]].master_end -> flush(to_master[mine[me]])
     :: else
     fi;
     mine[me] = NONE
  :: else
  fi;
#ifndef MISTAKE_NOT_SENT_AGAIN
  sent[me] = committed[me];
#endif
  flow[me] = kIdle;
  credit[me] = 0;
  request[me] = 0;
  retries[me] = 0
}

/* The end of a connection at the master's end; what is held of it stays (MasterPeer::leave). */
inline hang_up(c) {
  newest[(c) / SLOTS] = (newest[(c) / SLOTS] == (c) && !at[c].slave_end -> NONE : newest[(c) / SLOTS]);
  reader[(c) / SLOTS] = (reader[(c) / SLOTS] == (c) -> NONE : reader[(c) / SLOTS]);
  at[c].master_end = false;
  at[c].master = kNew;
#ifndef MISTAKE_CREDIT_OUTLIVES_THE_PEER
  taken = taken - at[c].credit;
#endif
  at[c].credit = 0;
  at[c].wanted = 0;
  at[c].request = 0;
  at[c].asks = false;
  at[c].owes_bye_ack = false;
  flush(to_master[c])
}

inline hang_up_all() {
  for (i : 0 .. CONNECTIONS - 1) {
    if
    :: at[i].master_end -> hang_up(i)
    :: else
    fi
  }
  i = 0
}

inline forget_being_master() {
  masters--;
  open = false;
  ending = false;
  its_epoch = 0;
  taken = 0;
  do
  :: nempty(pending) -> pending?_, _
  :: empty(pending) -> break
  od;
  for (i : 0 .. CONNECTIONS - 1) {
    at[i].held = 0;
    at[i].last = 0
  }
  for (i : 0 .. RECORDERS - 1) {
    ledger[i] = 0;
    owes[i] = false;
    reader[i] = NONE
  }
  i = 0
}

/* MasterSession::resume: goes on with the trail, whose marks begin the ledger. */
inline resume() {
  epoch++;
  its_epoch = epoch;
#ifndef MISTAKE_LEDGER_NOT_READ_FROM_THE_TRAIL
  for (j : 0 .. RECORDERS - 1) {
    scan(j, BIT(session), ledger[j]);
    owes[j] = ledger[j] > 0
  }
  j = 0
#endif
}

inline begin() {
  session++;
  epoch = 1;
  its_epoch = 1;
  unfinished = true;
  open = true
}

/* Ledger::admit, then Trail::append. */
inline put_into_order(who, pos) {
  if
  :: pos > ledger[who] ->
     ledger[who] = pos;
     pending!who, pos
  :: else
  fi;
  owes[who] = true
}

/* ------------------------------------------------------------------------------------------------------------------ */

proctype Host(byte me) {
  do
  :: produced[me] < RECORDS_OF(me) -> produced[me]++
  :: else -> break
  od
}

/* main/role.cpp: the election, and the slave's part. Ends when its host has and nothing is left (Recorder::is_over). */
proctype Recorder(byte me) {
  byte i, j, value;
  bit number;

  do
  /* --- the election: link/election.cpp */

  :: atomic { !dead[me] && step[me] == kNone && !is_idle(me) -> step[me] = kConnect }

  :: atomic { step[me] == kConnect && listener == NOBODY -> step[me] = kLock }
  :: atomic { step[me] == kConnect && listener != NOBODY && !has_room(me) -> step[me] = kPause }
  :: atomic { step[me] == kConnect && listener != NOBODY && has_room(me) ->
       mine[me] = me * SLOTS + (is_free(me * SLOTS) -> 0 : SLOTS - 1);
       newest[me] = mine[me];
       at[mine[me]].slave_end = true;
       at[mine[me]].master_end = true;
       step[me] = kSendHello }

  :: atomic { step[me] == kSendHello && at[mine[me]].slave == kNew && at[mine[me]].master_end ->
       to_master[mine[me]]!HELLO(known[me], sent[me] < produced[me]);
       flow[me] = (sent[me] < produced[me] -> kAsked : kIdle);    /* request 0: kFirstBytes, here a record */
       at[mine[me]].slave = kGreeted }

#ifdef MISTAKE_LOCK_NOT_TAKEN
  :: atomic { step[me] == kLock -> lock = me; step[me] = kBind }
#else
  :: atomic { step[me] == kLock && lock == NOBODY -> lock = me; step[me] = kBind }
  :: atomic { step[me] == kLock && lock != NOBODY -> step[me] = kPause }
#endif

  :: atomic { step[me] == kBind ->          /* Role::become_master */
       listener = me;
       step[me] = kMaster;
       masters++;
       assert(masters == 1);
       if
       :: known[me] != 0 && !session_is_orphaned(me) -> look_into(me, BIT(known[me])); known[me] = 0
       :: else
       fi;
       if
       :: !unfinished -> begin()
       :: unfinished && known[me] == session -> resume(); open = true
       :: else                              /* kDeciding */
       fi }

  /* A pause ends when there is something else to be found out than before. */
  :: atomic { step[me] == kPause && is_idle(me) && !session_is_orphaned(me) -> step[me] = kNone; known[me] = 0 }
  :: atomic { step[me] == kPause && (listener != NOBODY -> has_room(me) : lock == NOBODY) -> step[me] = kConnect }

  /* --- as a slave: link/slave_link.cpp, link/slave_flow.cpp */

  :: atomic { mine[me] != NONE && nempty(to_slave[mine[me]]) ->
       if
       :: to_slave[mine[me]]?WELCOME(value, _) ->
          assert(at[mine[me]].slave == kGreeted);
          at[mine[me]].slave = kMember;
          if
          :: known[me] != 0 && known[me] != value -> look_into(me, BIT(known[me]))
          :: else
          fi;
          know(me, value);
          step[me] = kSlave
       :: to_slave[mine[me]]?PASS(value, number) ->
          if
          :: number == request[me] ->
             assert(flow[me] == kAsked || flow[me] == kWaiting);
             flow[me] = kPassed;
             credit[me] = value
          :: else                           /* crossed with a newer request */
          fi
       :: to_slave[mine[me]]?WAIT(_, number) ->
          if
          :: number == request[me] -> assert(flow[me] == kAsked); flow[me] = kWaiting
          :: else
          fi
       :: to_slave[mine[me]]?COMMIT(value, _) ->
          committed[me] = (value > committed[me] -> value : committed[me]);
          sent[me] = (sent[me] < committed[me] -> committed[me] : sent[me])
       :: to_slave[mine[me]]?BYE_ACK(_, _) ->
          assert(at[mine[me]].slave == kLeaving && committed[me] == sent[me]);
          lose_master(me);
          if
          :: is_idle(me) -> step[me] = kNone; known[me] = 0
          :: else -> step[me] = kConnect
          fi
       :: to_slave[mine[me]]?REFUSE(_, _) -> lose_master(me); step[me] = kPause
       fi;
       value = 0;
       number = 0 }

  :: atomic { mine[me] != NONE && empty(to_slave[mine[me]]) && !at[mine[me]].master_end ->
       if
       :: step[me] == kSendHello -> step[me] = kPause
       :: step[me] == kSlave && at[mine[me]].slave == kLeaving && !session_is_orphaned(me) && is_idle(me) ->
          step[me] = kNone
       :: else -> step[me] = kConnect
       fi;
       lose_master(me);
       known[me] = (step[me] == kNone -> 0 : known[me]) }

#define is_member (step[me] == kSlave && at[mine[me]].slave == kMember && at[mine[me]].master_end)

  :: atomic { is_member && sent[me] < produced[me] && credit[me] == 0 && nfull(to_master[mine[me]]) &&
              (flow[me] == kIdle || flow[me] == kPassed || (flow[me] == kWaiting && retries[me] < RETRIES)) ->
       retries[me] = (flow[me] == kWaiting -> retries[me] + 1 : retries[me]);
       request[me] = 1 - request[me];
       flow[me] = kAsked;
       to_master[mine[me]]!REQUEST(produced[me] - sent[me], request[me]) }

  :: atomic { is_member && credit[me] > 0 && sent[me] < produced[me] && nfull(to_master[mine[me]]) ->
       sent[me]++;
       credit[me]--;
#ifdef MISTAKE_FREED_ON_SENDING
       committed[me] = sent[me];
#endif
       to_master[mine[me]]!DATA(sent[me], 0) }

#define has_sent_all(me) (sent[me] == produced[me] && produced[me] == RECORDS_OF(me))

  :: atomic { is_member && (is_idle(me) || has_sent_all(me)) && nfull(to_master[mine[me]]) ->      /* S9 */
       to_master[mine[me]]!BYE(0, 0);
       at[mine[me]].slave = kLeaving }

  /* --- as the master: main/master.cpp, main/master_session.cpp */

#define is_master (step[me] == kMaster && !ending)

  :: atomic { is_master && !open -> resume(); unfinished = false; begin() }          /* MasterSession::recover */

  :: atomic { is_master && open && known[me] == 0 -> know(me, session) }

  :: atomic { is_master && open && known[me] != 0 && sent[me] < produced[me] && nfull(pending) ->  /* S5 */
       sent[me]++;
       put_into_order(me, sent[me]) }

  :: atomic { step[me] == kMaster && nempty(pending) ->                              /* Trail::commit */
       pending?i, value;
       assert(its_epoch == epoch && unfinished);
       assert(trail[RECORD(i, value)] == 0);
       assert(value == 1 || trail[RECORD(i, value - 1)] != 0);
       trail[RECORD(i, value)] = session;
       i = 0;
       value = 0 }

  :: atomic { is_master && open && empty(pending) && committed[me] < ledger[me] ->
       committed[me] = ledger[me];
       sent[me] = (sent[me] < committed[me] -> committed[me] : sent[me]) }

  :: atomic { is_master && open && is_idle(me) && empty(pending) && may_end ->          /* Master::end */
       ending = true;
       unfinished = false }

  :: atomic { step[me] == kMaster && ending && listener == me ->
       for (i : 0 .. CONNECTIONS - 1) {
         assert(!at[i].slave_end || !at[i].master_end || at[i].slave != kMember)      /* S8 */
       }
       hang_up_all();
       listener = NOBODY }
  :: atomic { step[me] == kMaster && ending && listener != me ->
       lock = NOBODY;
       forget_being_master();
       known[me] = 0;
       step[me] = (is_idle(me) -> kNone : kConnect) }

  /* --- the ring */

  :: atomic { freed[me] < committed[me] ->                                           /* Recorder::give_room_back */
       freed[me] = committed[me];
       assert(trail[RECORD(me, freed[me])] != 0) }

  :: atomic { !dead[me] && step[me] == kNone && freed[me] == RECORDS_OF(me) -> ended++; break }

  /* --- SIGKILL at any step, and its successor: Recorder::restore */

  :: atomic { !dead[me] && crashes < CRASHES ->
       crashes++;
       dead[me] = true;
       if
       :: listener == me -> hang_up_all(); listener = NOBODY
       :: else
       fi;
       if
       :: step[me] == kMaster -> forget_being_master()
       :: else
       fi;
       if
       :: lock == me -> lock = NOBODY
       :: else
       fi;
       lose_master(me);
       step[me] = kNone;
       known[me] = 0;
       committed[me] = 0;
       sent[me] = 0 }

  :: atomic { dead[me] ->
       dead[me] = false;
       committed[me] = freed[me];
       sent[me] = freed[me];
       look_into(me, noted[me]);
       known[me] = ((unfinished && (noted[me] & BIT(session))) -> session : 0);
       step[me] = (noted[me] != 0 -> kConnect : kNone) }
  od
}

/* What is said to a slave that is gone is lost, and its end still to be heard. */
#define can_say(c) (nfull(to_slave[c]) || !at[c].slave_end)
inline say(what, value_said, number_said) {
  if
  :: at[c].slave_end -> to_slave[c]!what(value_said, number_said)
  :: else
  fi
}

inline welcome() {
  at[c].master = kMember;
#ifdef MISTAKE_LAST_WELCOMED_IS_ACKNOWLEDGED
  reader[who] = c;
#else
  reader[who] = (reader[who] == newest[who] -> reader[who] : c);
#endif
  owes[who] = owes[who] || ledger[who] > 0;
  say(WELCOME, session, 0);
  if
  :: !at[c].asks
  :: at[c].asks && taken == QUEUE -> at[c].wanted = 1; say(WAIT, 0, 0)
  :: else -> at[c].credit = 1; taken++; say(PASS, 1, 0)
  fi;
  at[c].asks = false
}

/* link/master_peer.cpp with its part of WaitingQueue, Ordering and Ledger: the master's end of connection `c`. */
proctype MasterPeer(byte c) {
  byte who = c / SLOTS;
  byte i, j, value, room;
  bit number;

#define is_heard (at[c].master_end && !ending)

end:
  do
  :: atomic { is_heard && to_master[c]?[HELLO] ->
       to_master[c]?HELLO(value, at[c].asks);
       assert(at[c].master == kNew);
       at[c].master = kGreeted;
       if
       :: !open && value == session -> resume(); open = true
       :: else
       fi;
       value = 0;
       if
       :: open -> welcome()
       :: else                              /* Master::welcome_all comes later */
       fi }

  :: atomic { is_heard && open && at[c].master == kGreeted -> welcome() }

  :: atomic { is_heard && to_master[c]?[REQUEST] && can_say(c) ->
       to_master[c]?REQUEST(value, number);
       assert(at[c].master == kMember);
       taken = taken - at[c].credit;
       at[c].credit = 0;
       at[c].request = number;
       at[c].wanted = value;
       room = QUEUE - taken;
       if
       :: room == 0 -> say(WAIT, 0, number)
       :: else ->
          at[c].credit = (value < room -> value : room);
          at[c].wanted = 0;
          taken = taken + at[c].credit;
          say(PASS, at[c].credit, number)
       fi;
       value = 0;
       room = 0;
       number = 0 }

  :: atomic { is_heard && at[c].wanted > 0 && taken < QUEUE && can_say(c) ->   /* WaitingQueue::grant */
       room = QUEUE - taken;
       at[c].credit = (at[c].wanted < room -> at[c].wanted : room);
       at[c].wanted = 0;
       taken = taken + at[c].credit;
       say(PASS, at[c].credit, at[c].request);
       room = 0 }

  :: atomic { is_heard && to_master[c]?[DATA] ->
       to_master[c]?DATA(value, _);
       assert(at[c].master == kMember && at[c].credit > 0);
       at[c].credit--;
       at[c].held++;
       at[c].last = value;
       value = 0 }

  :: atomic { open && !ending && at[c].held > 0 && nfull(pending) ->                   /* Master::release */
       value = at[c].last - at[c].held + 1;
       at[c].held--;
       taken--;
       at[c].last = (at[c].held == 0 -> 0 : at[c].last);
       put_into_order(who, value);
       value = 0 }

#ifdef MISTAKE_COMMIT_BEFORE_THE_WRITE
#define is_written true
#else
#define is_written empty(pending)
#endif
#define may_hear_commit (at[c].master == kMember || (at[c].owes_bye_ack && at[c].held == 0))
  :: atomic { is_heard && open && may_hear_commit && owes[who] && reader[who] == c && is_written && can_say(c) ->
       owes[who] = false;
       say(COMMIT, ledger[who], 0) }

  :: atomic { is_heard && to_master[c]?[BYE] ->
       to_master[c]?BYE(_, _);
       assert(at[c].master == kMember);
       at[c].master = kLeaving;
       at[c].owes_bye_ack = true;
       taken = taken - at[c].credit;
       at[c].credit = 0;
       at[c].wanted = 0 }

  :: atomic { is_heard && at[c].owes_bye_ack && at[c].held == 0 && (!owes[who] || reader[who] != c) && can_say(c) ->
       at[c].owes_bye_ack = false;
       say(BYE_ACK, 0, 0) }

  :: atomic { is_heard && !at[c].slave_end && empty(to_master[c]) -> hang_up(c) }

  :: atomic { is_heard && at[c].slave_end && refusals < REFUSALS && can_say(c) ->
       refusals++;
       say(REFUSE, 0, 0);
       hang_up(c) }
  od
}

init {
  byte i;
  atomic {
    for (i : 0 .. RECORDERS - 1) {
      step[i] = kNone;
      mine[i] = NONE;
      newest[i] = NONE;
      reader[i] = NONE;
      flow[i] = kIdle
    }
    for (i : 0 .. CONNECTIONS - 1) {
      at[i].slave = kNew;
      at[i].master = kNew
    }
    for (i : 0 .. RECORDERS - 1) {
      run Host(i);
      run Recorder(i)
    }
    for (i : 0 .. CONNECTIONS - 1) {
      run MasterPeer(i)
    }
  }
  ended == RECORDERS;
  atomic {
    assert(lock == NOBODY && listener == NOBODY && masters == 0);
    assert(!unfinished);
    for (i : 0 .. RECORDERS - 1) {
      assert(freed[i] == RECORDS_OF(i) && trail[RECORD(i, 1)] != 0 && trail[RECORD(i, RECORDS_OF(i))] != 0)
    }
  }
}
