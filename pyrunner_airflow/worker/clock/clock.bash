# The clock while app_profile is sourced: it stands at $PYRUNNER_RUN_TIME, seconds since 1970. Bash reads this
# file before the profile, and again in each bash script that the profile calls ($BASH_ENV). What is not bash
# finds `date`, which lies beside this file, in PATH.

# Here, since it is read first and everywhere: what `set -x` prints may be part of a secret.
{ exec {BASH_XTRACEFD}>>"${PYRUNNER_TRACE-}" || exec {BASH_XTRACEFD}>/dev/null; } 2>/dev/null

if [[ -r ${PYRUNNER_BASH_ENV-} ]]; then source "$PYRUNNER_BASH_ENV"; fi

# Each calls it by itself: a profile's own `date` may well call /bin/date.
date() { BASH_ENV= "$BASH" "$PYRUNNER_CLOCK/date" "$@"; }
function /bin/date { BASH_ENV= "$BASH" "$PYRUNNER_CLOCK/date" "$@"; }
function /usr/bin/date { BASH_ENV= "$BASH" "$PYRUNNER_CLOCK/date" "$@"; }

unset EPOCHSECONDS EPOCHREALTIME # and so they are variables like others
EPOCHSECONDS=$PYRUNNER_RUN_TIME
EPOCHREALTIME=$PYRUNNER_RUN_TIME.000000

# For `%(...)T`: each conversion gets the argument that bash would take, but the run's time for -1 (now), -2
# (when the shell began) or none.
printf() {
  if [[ "$*" != *'%('* ]]; then
    builtin printf "$@"
    return
  fi
  local _pyrunner_to=() _pyrunner_values=() _pyrunner_format _pyrunner_rest _pyrunner_left _pyrunner_part
  case $1 in
    -v) _pyrunner_to=(-v "$2"); shift 2 ;;
    -v*) _pyrunner_to=("$1"); shift ;;
  esac
  if [[ $1 == -- ]]; then shift; fi
  _pyrunner_format=$1
  shift
  while :; do # bash uses the format again while arguments are left
    _pyrunner_rest=$_pyrunner_format
    _pyrunner_left=$#
    while [[ $_pyrunner_rest =~ %[-+\ #0]*(\*|[0-9]*)(\.(\*|[0-9]*))?(\([^\)]*\)T|.) ]]; do
      _pyrunner_rest=${_pyrunner_rest#*"${BASH_REMATCH[0]}"}
      for _pyrunner_part in "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" "${BASH_REMATCH[4]}"; do
        case $_pyrunner_part in
          % | '' | [0-9]*) continue ;;
          \(*T) case ${1:--1} in -1 | -2) set -- "$PYRUNNER_RUN_TIME" "${@:2}" ;; esac ;;
        esac
        _pyrunner_values+=("${1-}")
        shift "$(($# > 0))"
      done
    done
    if (($# == 0 || $# == _pyrunner_left)); then break; fi
  done
  builtin printf ${_pyrunner_to[@]+"${_pyrunner_to[@]}"} -- "$_pyrunner_format" "${_pyrunner_values[@]}"
}
