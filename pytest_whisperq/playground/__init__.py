"""The playground: hear the original and the candidate, whole and streamed, and look through what a run lost."""
