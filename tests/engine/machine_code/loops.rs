//! Loops of a graph.

/// The innermost loops: sets of nodes, ascending, each of which can be reached from every other, and which have no such set
/// within them that avoids their entries.
pub(crate) fn innermost(next: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut inside = vec![true; next.len()];
    let mut entry = vec![false; next.len()];
    search(next, &(0..next.len()).collect::<Vec<_>>(), &mut inside, &mut entry, &mut found);
    found.sort();
    found
}

/// Those among `nodes`, without the edges that lead to an `entry`. Only these nodes are `inside`, before and after.
fn search(
    next: &[Vec<usize>],
    nodes: &[usize],
    inside: &mut [bool],
    entry: &mut [bool],
    found: &mut Vec<Vec<usize>>,
) -> bool {
    let edges = |from: usize, inside: &[bool], entry: &[bool]| -> Vec<usize> {
        next[from].iter().copied().filter(|&to| inside[to] && !entry[to]).collect()
    };
    let cycles = cycles(next.len(), nodes, |from| edges(from, inside, entry));
    nodes.iter().for_each(|&node| inside[node] = false);
    for cycle in &cycles {
        // Entries: where edges from elsewhere lead, or for a loop that nothing leads to its first instruction.
        cycle.iter().for_each(|&node| inside[node] = true);
        let mut entries: Vec<usize> = (0..next.len())
            .filter(|&from| !inside[from])
            .flat_map(|from| next[from].iter().copied().filter(|&to| inside[to]))
            .collect();
        if entries.is_empty() {
            entries.push(cycle[0]);
        }
        entries.iter().for_each(|&node| entry[node] = true);
        if !search(next, cycle, inside, entry, found) {
            found.push(cycle.clone());
        }
        cycle.iter().for_each(|&node| inside[node] = false);
    }
    nodes.iter().for_each(|&node| inside[node] = true);
    !cycles.is_empty()
}

/// Tarjan's strongly connected components, of those which have an edge within them.
fn cycles(count: usize, nodes: &[usize], edges: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<usize>> {
    const NEVER: usize = usize::MAX;
    let (mut order, mut low) = (vec![NEVER; count], vec![NEVER; count]);
    let (mut open, mut is_open) = (Vec::new(), vec![false; count]);
    let (mut visited, mut found) = (0, Vec::new());
    for &root in nodes {
        if order[root] != NEVER {
            continue;
        }
        // Nodes on the way, and their edges that are left.
        let mut way = vec![(root, None::<Vec<usize>>)];
        while let Some((node, left)) = way.last_mut() {
            let node = *node;
            if left.is_none() {
                (order[node], low[node]) = (visited, visited);
                visited += 1;
                open.push(node);
                is_open[node] = true;
            }
            match left.get_or_insert_with(|| edges(node)).pop() {
                Some(to) if order[to] == NEVER => way.push((to, None)),
                Some(to) if is_open[to] => low[node] = low[node].min(order[to]),
                Some(_) => {}
                None => {
                    way.pop();
                    if let Some((before, _)) = way.last() {
                        low[*before] = low[*before].min(low[node]);
                    }
                    if low[node] == order[node] {
                        let start = open.iter().position(|&other| other == node).expect("a node is open");
                        let mut cycle = open.split_off(start);
                        cycle.iter().for_each(|&node| is_open[node] = false);
                        if cycle.len() > 1 || edges(node).contains(&node) {
                            cycle.sort();
                            found.push(cycle);
                        }
                    }
                }
            }
        }
    }
    found
}

#[test]
fn finds_innermost_loops() {
    // 1 to 6 with 2 to 3 and 4 to 5 (entered at both) within; 7 alone.
    let next =
        [vec![1], vec![2], vec![3], vec![2, 4, 5], vec![5], vec![4, 6], vec![1, 7], vec![7, 8], vec![]];
    assert_eq!(innermost(&next), [vec![2, 3], vec![4, 5], vec![7]]);
}
