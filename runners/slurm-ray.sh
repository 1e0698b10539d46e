#!/bin/bash
# A search on several machines of a SLURM cluster:   sbatch slurm-ray.sh my-study.yaml
# It is resumed by the same command, also after the job's time has run out.
#
# SQLite cannot lie on a disk that machines share, and the machines' own are emptied after a job:
# ARCHDSL_DB names a PostgreSQL database (postgresql://...), or a file on a disk of the first
# machine that lasts.
#SBATCH --job-name=archdsl
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@60
set -euo pipefail

study=$1
database=${ARCHDSL_DB:?name the database: ARCHDSL_DB=postgresql://...}
mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${machines[0]}
port=$((20000 + SLURM_JOB_ID % 20000))
export RAY_ADDRESS="$first:$port"
# Ray wants a token wherever it finds one; with a home that all machines share it is everywhere.
if [[ -z ${RAY_AUTH_MODE:-} && ( -n ${RAY_AUTH_TOKEN:-} || -f ${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token} ) ]]; then
  export RAY_AUTH_MODE=token
fi

# $1: machine; the rest: further arguments of `ray start`
start() {
  local machine=$1
  shift
  srun --nodes=1 --ntasks=1 --overlap --nodelist="$machine" \
    ray start --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$SLURM_GPUS_PER_NODE" --block "$@" &
}

start "$first" --head --port="$port" --resources='{"latency_lane": 1}'
until said=$(timeout 30 ray status --address "$RAY_ADDRESS" 2>&1); do
  if ((SECONDS > 300)); then
    echo "no Ray cluster answers at $RAY_ADDRESS after 5 minutes; the last answer:" >&2
    tail -n 1 <<<"$said" | cut -c 1-300 >&2
    exit 1
  fi
  sleep 2
done
for machine in "${machines[@]:1}"; do
  start "$machine" --address "$RAY_ADDRESS"
done

# The first machine is where this script runs, and with it the one writer of the database.
trap 'kill -TERM "$search" 2>/dev/null' TERM
archdsl doctor --runner slurm-ray --db "$database" || true
archdsl search "$study" --runner slurm-ray --db "$database" &
search=$!
wait "$search" || wait "$search"
