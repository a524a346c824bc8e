/*
 * Leases while the voters change: what core.pml and reconfig.pml each leave to the other.
 * README.md tells what is left out and why that loses no behaviour. -DWITHOUT_… removes one rule.
 */
#ifndef TERMS
#define TERMS 2
#endif
#ifndef VERSIONS
#define VERSIONS 3
#endif
#ifndef FIRST_VOTERS
#define FIRST_VOTERS 7 /* a set */
#endif
#define PEERS 3
#define TIMEOUT 2
#define LEASE TIMEOUT

#define BIT(peer) (1 << (peer))
#define SIZE(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1))
#define isQuorum(set, of) (2 * SIZE((set) & (of)) > SIZE(of))
#define NO_BEAT 15

#define FOLLOWER 0
#define CANDIDATE 1
#define ADMIN 2

/* On the disk. */
byte term[PEERS];
bit voted[PEERS];
byte voters[PEERS] = FIRST_VOTERS; /* the configuration: a set of peers, … */
byte writer[PEERS];                /* … the term that wrote it, … */
byte version[PEERS] = 1;           /* … and its version */

/* In memory. Times are what is left of them. */
byte role[PEERS];
byte votes[PEERS];         /* for this candidate in its term: a set of voters */
byte approvals[PEERS];     /* told this admin that they have its configuration and are in its term */
byte quiet[PEERS];         /* votes for nobody: it acknowledged a beat, approved a change, or restarted */
byte lease[PEERS];
byte age[PEERS] = NO_BEAT; /* of the beat under way */
byte acks[PEERS];          /* of that beat: a set of peers */

/* What is known from outside. */
bit won[TERMS + 1];

#define isNewer(a, b) (writer[a] > writer[b] || (writer[a] == writer[b] && version[a] > version[b]))
#define isFree(v) (quiet[v] == 0 && lease[v] == 0)
#ifdef WITHOUT_OWN_MEMBERSHIP
#define isVoter(v) true
#else
#define isVoter(v) (voters[v] & BIT(v)) /* as far as it knows itself */
#endif

/* Chooses a peer for which this holds; executable when there is one. */
#define someone(holds) if :: holds(0) -> other = 0 :: holds(1) -> other = 1 :: holds(2) -> other = 2 fi
#define isOther(v) (v != _pid)
#define asksForVote(v) (v != _pid && role[v] == CANDIDATE && voters[v] & BIT(_pid) && isVoter(_pid) && isFree(_pid) && \
  (term[v] > term[_pid] || (term[v] == term[_pid] && !voted[_pid])) && !isNewer(_pid, v))
#define beats(v) (v != _pid && isVoter(_pid) && age[v] != NO_BEAT && term[v] >= term[_pid])
#define hasNewerConfig(v) (role[_pid] == FOLLOWER && isNewer(v, _pid))
#define approves(v) (v != _pid && role[v] == ADMIN && term[v] == term[_pid] && \
  writer[v] == writer[_pid] && version[v] == version[_pid] && version[v] < VERSIONS)
#define isAhead(v) (term[v] > term[_pid])

/* The first voters are alike, so let the first that ever stands be the first of them. */
#define mayStand(v) (role[v] != ADMIN && term[v] < TERMS && voters[v] & BIT(v) && isFree(v) && \
  (v == 0 || term[0] > 0 || term[1] > 0 || term[2] > 0))

inline follow(v) {
  role[v] = FOLLOWER; votes[v] = 0; approvals[v] = 0; lease[v] = 0; age[v] = NO_BEAT; acks[v] = 0
}

inline enter(v, newer) {
  follow(v); term[v] = newer; voted[v] = 0
}

inline holdLease(v, left) {
  other = 0;
  do
  :: other < PEERS -> assert(other == v || lease[other] == 0); other++
  :: else -> other = 0; break
  od;
  if :: left > lease[v] -> lease[v] = left :: else fi
}

inline less(time) {
  if :: time > 0 -> time-- :: else fi
}

active [PEERS] proctype peer() {
  byte other;
  do
  :: atomic { /* stands; the first vote is its own */
      mayStand(_pid) ->
      enter(_pid, term[_pid] + 1); voted[_pid] = 1; votes[_pid] = BIT(_pid); role[_pid] = CANDIDATE
    }
  :: atomic { /* a candidate's request comes in; whether the vote ever counts is left open */
      someone(asksForVote);
      if :: term[other] > term[_pid] -> enter(_pid, term[other]) :: else fi;
      voted[_pid] = 1; votes[other] = votes[other] | BIT(_pid); other = 0
    }
  :: atomic { /* a quorum of its configuration voted */
      role[_pid] == CANDIDATE && isQuorum(votes[_pid], voters[_pid]) ->
      assert(!won[term[_pid]]);
      won[term[_pid]] = 1; role[_pid] = ADMIN; votes[_pid] = 0;
      writer[_pid] = term[_pid]; approvals[_pid] = BIT(_pid)
    }
  :: atomic { /* a beat goes out, and the one before is forgotten */
      role[_pid] == ADMIN -> age[_pid] = 0; acks[_pid] = BIT(_pid)
    }
  :: atomic { /* a beat comes in, with the certificate */
      someone(beats);
      if
      :: term[other] > term[_pid] -> enter(_pid, term[other])
      :: else -> if :: role[_pid] == CANDIDATE -> follow(_pid) :: else fi
      fi;
      quiet[_pid] = TIMEOUT; acks[other] = acks[other] | BIT(_pid); other = 0
    }
  :: atomic { /* the acknowledgement that completes a quorum comes in, at once or late */
      isQuorum(acks[_pid], voters[_pid]) && LEASE > age[_pid] -> holdLease(_pid, LEASE - age[_pid])
    }
  :: atomic { /* the admin adds or removes one voter */
      role[_pid] == ADMIN && version[_pid] < VERSIONS && isQuorum(approvals[_pid], voters[_pid]) ->
      someone(isOther); voters[_pid] = voters[_pid] ^ BIT(other);
      version[_pid]++; writer[_pid] = term[_pid]; approvals[_pid] = BIT(_pid); other = 0
    }
  :: atomic { /* an approval goes out: a promise like that for a beat */
      someone(approves);
      approvals[other] = approvals[other] | BIT(_pid); other = 0;
#ifndef WITHOUT_APPROVAL_PROMISE
      quiet[_pid] = TIMEOUT
#endif
    }
  :: atomic { /* a newer configuration comes in, from anyone */
      someone(hasNewerConfig);
      if :: writer[other] > term[_pid] -> enter(_pid, writer[other]) :: else fi;
      voters[_pid] = voters[other]; writer[_pid] = writer[other]; version[_pid] = version[other]; other = 0
    }
  :: atomic { /* a newer term is met, in a refusal or a certificate */
      someone(isAhead); enter(_pid, term[other]); other = 0
    }
  :: atomic { /* crashes and restarts; with one voter known, there is nobody to promise to */
      true -> follow(_pid);
#ifdef WITHOUT_RESTART_HOLD
      quiet[_pid] = 0
#else
      if :: SIZE(voters[_pid]) == 1 -> quiet[_pid] = 0 :: else -> quiet[_pid] = TIMEOUT fi
#endif
    }
  od
}

active proctype time() {
  byte v;
  do
  :: atomic {
      do
      :: v < PEERS ->
        less(quiet[v]); less(lease[v]);
        if
        :: age[v] < LEASE - 1 -> age[v]++
        :: else -> age[v] = NO_BEAT; acks[v] = 0 /* too old to give a lease */
        fi;
        v++
      :: else -> v = 0; break
      od
    }
  od
}
