# steps.sh FOLDER: for every .mix file of the folder, in order, prints its name, what its step form
# keeps (caches and states with their axes), and how three programs compare with the definition: L2 and the
# tile programs of the step, run over a sequence in calls of 1 to 4 tokens, and the tile programs of the
# prefill, in calls of 1 to 100. Instead, for a mixer that has
# no step form or no tile program of it: why. A line `// evaluate: ...` gives more options.
set -o pipefail
sizes="--size T=0,L=5,W=2,N=3 --size T=37,L=41,W=4,N=8" long="--size T=0,L=5,W=2,N=3 --size T=190,L=200,W=4,N=8"
for file in "$1"/*.mix; do
  name=$(basename "$file" .mix)
  echo "== $name"
  out="$1/$name"
  options=$(sed -n 's,^// evaluate: ,,p' "$file")
  # Every axis gets a size that is no token space.
  mix-translate "$file" > "$out.l1.mlir"
  axes=$(grep -oE 'mix.axes<\[[^]]*\]' "$out.l1.mlir" | grep -oE '"[A-Z][A-Za-z]*"' | tr -d '"' | sort -u |
    sed -E 's/^([KNE])$/\1=3/; s/^([^=]*)$/\1=2/' | paste -sd,)
  tokens=$(mix-translate "$file" --size "$axes" 2>&1 | sed -nE "s/.*error: ('|there is no axis ')([A-Z]*)'.*/\2=./p" | paste -sd'|')
  features=$(tr , '\n' <<< "$axes" | grep -vxE "$tokens" | paste -sd,)
  mix-translate --locations "$file" --size "$features" > "$out.l1.mlir"
  mix-opt --mix-normalize "$out.l1.mlir" -o "$out.l2.mlir"
  if ! mix-opt --mix-derive-step --cse "$out.l2.mlir" -o "$out.step.mlir" 2> "$out.err"; then
    grep -oE 'error: .*' "$out.err"
    continue
  fi
  grep 'func.func' "$out.step.mlir" | grep -oE '(#mix.axes<\[[^]]*\]>|f64)> \{mix.kind = "(cache|state)"[^}]*\}' |
    sed -E '/"cache"/{/sources/!d;}; s/#mix.axes<(.*)>> /\1 /; s/^f64> /[] /; s/"//g; s/mix\.//g; s/ : i64//' | sort -u
  mix-evaluate "$out.l1.mlir" --against "$out.step.mlir" --seed 5 $sizes $options | tail -n 1
  mix-opt --mix-tile="form=step element=f64" --cse "$out.step.mlir" -o "$out.l3.mlir" 2> "$out.err"
  grep -oE "has no tile program: .*" "$out.err" ||
    mix-evaluate "$out.l1.mlir" --against "$out.l3.mlir" --seed 5 $sizes $options | tail -n 1
  mix-opt --mix-tile="form=prefill element=f64" --cse "$out.step.mlir" -o "$out.l3.mlir" 2> "$out.err"
  grep -oE "has no tile program: .*" "$out.err" ||
    mix-evaluate "$out.l1.mlir" --against "$out.l3.mlir" --seed 5 $long $options | tail -n 1
done
